import { resourceTypes } from '../snapshot/resource.ts';
import { answer } from './answer.ts';
import { plan } from './plan.ts';
import {
  draftOf,
  type Fact,
  type Outgoing,
  type StreamDraft,
  type StreamEvent,
  type StreamState,
} from './stream.ts';
import { subscribe, want } from './subscribe.ts';

/** How long a client may leave something unanswered before the rest goes on without it. */
export const patienceMs = 5_000;

export type Step = {
  readonly stream: StreamState;
  readonly send: readonly Outgoing[];
  readonly facts: readonly Fact[];
};

/** What happens to a stream, and what is to be sent, when something comes in. No clock, no socket, no memory. */
export function step(stream: StreamState, event: StreamEvent): Step {
  const draft = draftOf(stream);
  const facts: Fact[] = [];
  switch (event.kind) {
    case 'request':
      if (event.request.nonce !== '') answer(draft, event.request, facts);
      subscribe(draft, event.request, facts);
      break;
    case 'snapshot':
      want(draft, event.snapshot, facts);
      break;
    case 'writable':
      draft.writable = true;
      break;
    case 'tick':
      losePatience(draft, event.now);
      break;
    default:
      event satisfies never;
  }
  const send = plan(draft, facts);
  return { stream: draft, send, facts };
}

/** A missing ACK is no error: Envoy holds back answers while clusters warm. A late one still counts as a fact. */
function losePatience(draft: StreamDraft, now: number): void {
  draft.openedAt ??= now;
  if (now - draft.openedAt >= patienceMs) draft.patient = false;
  for (const type of resourceTypes) {
    const state = draft.types[type];
    if (state.inFlight === undefined) continue;
    state.inFlightSince ??= now;
    if (now - state.inFlightSince < patienceMs) continue;
    state.inFlight = undefined;
    state.inFlightSince = undefined;
  }
  if (draft.awaited.size === 0) return;
  draft.awaitedSince ??= now;
  if (now - draft.awaitedSince < patienceMs) return;
  draft.awaited.clear();
  draft.awaitedSince = undefined;
}
