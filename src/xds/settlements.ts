import type { Outcome } from './cache.ts';
import type { RelayResponse } from './relay.ts';
import type { Fact } from './stream.ts';

/**
 * Answers the control plane's letters with what the workload's Envoy did: a letter is settled when every resource
 * in it is acknowledged or refused there, or replaced by a later letter. Without an Envoy it stays open.
 */
export type Settlements = {
  /** An Envoy has opened a stream: what was heard before says nothing of it. */
  readonly connected: () => void;
  readonly received: (response: RelayResponse) => void;
  readonly observed: (facts: readonly Fact[]) => void;
};

type Open = {
  readonly response: RelayResponse;
  /** name → version that is to be heard of; `null` for a removal. */
  readonly waiting: Map<string, string | null>;
  readonly errors: Map<string, string>;
};

/** What was last heard of a resource. No `kind` but these: `sent` is on its way, `removed` is forgotten. */
type Heard = {
  readonly kind: 'sent' | 'acked' | 'nacked';
  readonly version: string;
  readonly message: string;
};

export function createSettlements(settle: (nonce: string, outcome: Outcome) => void): Settlements {
  const heard = new Map<string, Heard>();
  const letters = new Set<Open>();
  const keyOf = (type: string, name: string): string => `${type}|${name}`;

  const settleIfDone = (letter: Open): void => {
    if (letter.waiting.size > 0) return;
    letters.delete(letter);
    settle(letter.response.nonce, { errors: letter.errors });
  };

  return {
    connected() {
      heard.clear();
      for (const letter of letters) {
        // An Envoy that starts never had what has gone by now; one that comes back is told so as it subscribes.
        for (const [name, wanted] of letter.waiting) if (wanted === null) letter.waiting.delete(name);
        settleIfDone(letter);
      }
    },
    received(response) {
      const { resources, removed } = response;
      const waiting = new Map<string, string | null>([
        ...resources.map(({ name, version }) => [name, version] as const),
        ...removed.map((name) => [name, null] as const),
      ]);
      for (const older of letters) {
        if (older.response.type !== response.type) continue;
        for (const name of waiting.keys()) older.waiting.delete(name);
        settleIfDone(older);
      }
      const letter = { response, waiting, errors: new Map<string, string>() };
      letters.add(letter);
      for (const name of [...waiting.keys()]) hear(letter, name, heard.get(keyOf(response.type, name)));
      settleIfDone(letter);
    },
    observed(facts) {
      for (const { kind, type, name, version, message = '' } of facts) {
        if (kind === 'removed') heard.delete(keyOf(type, name));
        else heard.set(keyOf(type, name), { kind, version, message });
        for (const letter of letters) {
          if (letter.response.type !== type) continue;
          hear(letter, name, heard.get(keyOf(type, name)));
          settleIfDone(letter);
        }
      }
    },
  };
}

/** Takes a name off what the letter waits for, if what was heard last of it is an answer. */
function hear({ waiting, errors }: Open, name: string, last: Heard | undefined): void {
  const wanted = waiting.get(name);
  if (wanted === undefined) return;
  if (wanted === null) {
    if (last === undefined) waiting.delete(name);
    return;
  }
  if (last === undefined || last.kind === 'sent' || last.version !== wanted) return;
  if (last.kind === 'nacked') errors.set(name, last.message);
  waiting.delete(name);
}
