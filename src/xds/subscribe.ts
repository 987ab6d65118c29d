import type { ResourceType } from '../snapshot/resource.ts';
import { changes, emptySnapshot, type Snapshot } from '../snapshot/snapshot.ts';
import type { DeltaRequest, Fact, StreamDraft, TypeState } from './stream.ts';
import { isSubscribed, mayHave, unknown } from './stream.ts';

/** Names in a subscription that stand for everything. */
const all = '*';

/** Takes in what a request subscribes to, gives up, and says it has. */
export function subscribe(draft: StreamDraft, request: DeltaRequest, facts: Fact[]): void {
  const state = draft.types[request.type];
  const first = !state.asked;
  const before = { wildcard: state.wildcard };
  if (!first && request.subscribe.length === 0 && request.unsubscribe.length === 0) return;
  draft.types[request.type] = { ...state, asked: true, explicit: new Set(state.explicit) };
  const ask = {
    draft,
    type: request.type,
    state: draft.types[request.type],
    initial: first ? request.initial : new Map<string, string>(),
    facts,
  };

  // The old way to say `*`: a first request that names nothing.
  if (request.subscribe.includes(all) || (first && request.subscribe.length === 0)) {
    ask.state.owesAnswer = true;
    if (!before.wildcard) subscribeToAll(ask);
  }
  for (const name of request.subscribe) if (name !== all) subscribeToName(ask, name, before.wildcard);
  for (const name of request.unsubscribe) {
    if (name === all) unsubscribeFromAll(ask);
    else unsubscribeFromName(ask, name);
  }
}

type Ask = {
  readonly draft: StreamDraft;
  readonly type: ResourceType;
  readonly state: TypeState;
  readonly initial: ReadonlyMap<string, string>;
  readonly facts: Fact[];
};

function subscribeToAll({ draft, type, state, initial, facts }: Ask): void {
  const snapshot = draft.snapshot ?? emptySnapshot;
  state.wildcard = true;
  for (const { name, version } of snapshot.entries(type)) {
    if (state.explicit.has(name)) continue;
    const has = initial.get(name) ?? (state.ghosts.has(name) ? unknown : null);
    if (has !== version) state.behind.set(name, has);
    else facts.push({ kind: 'acked', type, name, version });
  }
  for (const [name, version] of initial) {
    if (snapshot.get(type, name) === undefined) state.behind.set(name, version);
  }
  // 1. Envoy refuses a response for one bad listener, yet keeps the good ones of it.
  // 2. It does not count those as its own: a reconnect does not name them.
  // 3. Therefore whatever was ever sent and is gone by now, or before it is sent again, is removed, named or not.
  for (const name of state.ghosts) {
    if (snapshot.get(type, name) === undefined && !initial.has(name)) state.behind.set(name, unknown);
  }
  state.ghosts = new Set();
}

function subscribeToName({ draft, type, state, initial, facts }: Ask, name: string, hadAll: boolean): void {
  const again = hadAll || state.explicit.has(name);
  const version = draft.snapshot?.get(type, name)?.version;
  state.explicit.add(name);
  // Who asks again wants it again, even what it once refused.
  state.rejected.delete(name);
  if (version === undefined) {
    const has = initial.get(name) ?? (state.behind.get(name) ? unknown : null);
    if (has === null) state.missing.add(name);
    else state.behind.set(name, has);
    return;
  }
  const has = initial.get(name) ?? (again ? unknown : null);
  if (has !== version) state.behind.set(name, has);
  else facts.push({ kind: 'acked', type, name, version });
}

function unsubscribeFromAll({ draft, type, state }: Ask): void {
  // What is on its way arrives all the same, perhaps after the client has asked for everything again.
  state.ghosts = mayHave(draft, type);
  state.wildcard = false;
  for (const name of state.behind.keys()) if (!state.explicit.has(name)) forget(state, name);
}

function unsubscribeFromName({ draft, type, state, facts }: Ask, name: string): void {
  state.explicit.delete(name);
  if (type === 'endpoint') draft.awaited.delete(name);
  if (!state.wildcard) {
    if (isOnItsWay(state, name)) state.ghosts = new Set([...state.ghosts, name]);
    forget(state, name);
    // Gone by its own doing; no answer will say so.
    facts.push({ kind: 'removed', type, name, version: '' });
    return;
  }
  // The client cannot know whether `*` still covers the name: tell it.
  if (draft.snapshot?.get(type, name) !== undefined) state.behind.set(name, unknown);
  else if (!state.behind.has(name)) state.missing.add(name);
}

function forget(state: TypeState, name: string): void {
  state.behind.delete(name);
  state.missing.delete(name);
  state.rejected.delete(name);
}

/** Takes in what the client shall have from now on. */
export function want(draft: StreamDraft, snapshot: Snapshot, facts: Fact[]): void {
  const before = draft.snapshot ?? emptySnapshot;
  for (const [type, state] of typesOf(draft)) {
    if (!state.asked) continue;
    for (const name of changes(before, snapshot, type)) {
      if (isSubscribed(state, name)) compare({ state, type, name, before, after: snapshot, facts });
    }
  }
  draft.snapshot = snapshot;
}

function typesOf(draft: StreamDraft): [ResourceType, TypeState][] {
  // The record's keys are exactly the resource types.
  return Object.entries(draft.types) as [ResourceType, TypeState][];
}

type Comparison = {
  readonly state: TypeState;
  readonly type: ResourceType;
  readonly name: string;
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly facts: Fact[];
};

function compare({ state, type, name, before, after, facts }: Comparison): void {
  const { behind, missing, rejected, explicit } = state;
  const waiting = behind.get(name) === null && explicit.has(name);
  const has = behind.has(name) ? (behind.get(name) ?? null) : (before.get(type, name)?.version ?? null);
  const wanted = after.get(type, name)?.version;
  if (rejected.get(name) !== wanted) rejected.delete(name);
  if (wanted !== undefined) missing.delete(name);
  // It went away before it was ever sent; who asked for it by name still waits for an answer.
  else if (waiting) missing.add(name);

  if (has !== (wanted ?? null)) {
    behind.set(name, has);
    return;
  }
  // It has what is wanted, by its own account or from before: no answer will say so.
  const told = !behind.delete(name) || isOnItsWay(state, name);
  if (wanted !== undefined && !told) facts.push({ kind: 'acked', type, name, version: wanted });
}

function isOnItsWay({ outstanding }: TypeState, name: string): boolean {
  return [...outstanding.values()].some(
    ({ resources, replaced }) => !replaced.has(name) && resources.some((one) => one.name === name),
  );
}
