import type { Resource, ResourceType } from '../snapshot/resource.ts';
import { references } from '../snapshot/snapshot.ts';
import {
  type DeltaRequest,
  type Fact,
  isSubscribed,
  type Letter,
  type StreamDraft,
  unknown,
} from './stream.ts';

/** Takes in an ACK or NACK. One whose nonce is not outstanding is of no interest. */
export function answer(draft: StreamDraft, request: DeltaRequest, facts: Fact[]): void {
  const { type, nonce, error } = request;
  const state = draft.types[type];
  const letter = state.outstanding.get(nonce);
  if (letter === undefined) return;
  state.outstanding.delete(nonce);
  if (state.inFlight === nonce) {
    state.inFlight = undefined;
    state.inFlightSince = undefined;
  }
  stopAwaiting(draft, type, letter, error !== undefined);
  const resources = letter.resources.filter(({ name }) => !letter.replaced.has(name));
  // Removing what is there or not there cannot fail, so a NACK is about the resources.
  for (const name of letter.removed) {
    if (!letter.replaced.has(name)) facts.push({ kind: 'removed', type, name, version: '' });
  }
  if (error !== undefined && error.byName.size === 0 && letter.resources.length > 1) {
    suspect(draft, type, resources);
    return;
  }
  for (const resource of resources) {
    const message = error && (error.byName.size > 0 ? error.byName.get(resource.name) : error.message);
    if (message === undefined) facts.push({ kind: 'acked', type, ...nameAndVersion(resource) });
    else reject(draft, resource, message, facts);
  }
}

function nameAndVersion({ name, version }: Resource): { name: string; version: string } {
  return { name, version };
}

function reject(draft: StreamDraft, resource: Resource, message: string, facts: Fact[]): void {
  const { type, name, version } = resource;
  const state = draft.types[type];
  facts.push({ kind: 'nacked', type, name, version, message });
  if (!isSubscribed(state, name)) return;
  // It keeps the version before, or none, or half of this one.
  state.behind.set(name, unknown);
  if (draft.snapshot?.get(type, name)?.version === version) state.rejected.set(name, version);
}

/**
 * 1. Envoy refuses a response as a whole and does not say which resource was bad.
 * 2. Some of the good ones it has applied all the same, some not.
 * 3. Therefore all of them are sent again in two halves, and halves of these, until the bad ones stand alone.
 */
function suspect(draft: StreamDraft, type: ResourceType, resources: readonly Resource[]): void {
  const state = draft.types[type];
  const names = resources.map(({ name }) => name).filter((name) => isSubscribed(state, name));
  for (const name of names) state.behind.set(name, unknown);
  const middle = Math.ceil(names.length / 2);
  const halves = [names.slice(0, middle), names.slice(middle)].filter((half) => half.length > 0);
  state.suspects = [...halves, ...state.suspects];
}

/**
 * Endpoints that have been answered, or whose cluster was refused, hold nothing back any more. Those that are to be
 * sent again do so as `plan` sees them.
 */
function stopAwaiting(draft: StreamDraft, type: ResourceType, letter: Letter, refused: boolean): void {
  if (type === 'endpoint') {
    for (const { name } of letter.resources) draft.awaited.delete(name);
    for (const name of [...letter.removed, ...letter.missing]) draft.awaited.delete(name);
  } else if (type === 'cluster' && refused) {
    for (const cluster of letter.resources) {
      for (const name of references(cluster).endpoint) draft.awaited.delete(name);
    }
  }
  if (draft.awaited.size === 0) draft.awaitedSince = undefined;
}
