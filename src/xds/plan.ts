import { type Resource, type ResourceType, resourceTypes } from '../snapshot/resource.ts';
import { references } from '../snapshot/snapshot.ts';
import {
  type Fact,
  type Has,
  isSubscribed,
  type Letter,
  type Outgoing,
  type StreamDraft,
  type TypeState,
  unknown,
} from './stream.ts';

/** A node agent refuses larger messages; Envoy does not, and must get its first listeners in one piece. */
const largestWritten = 4 * 1024 * 1024;
/** A client that never answers is not remembered without end. */
const mostOutstanding = 1_000;

/**
 * Sends what may be sent now, in make-before-break order: what others name first, removals last and in reverse.
 * Does nothing until there is a snapshot and the transport is free: a slow client skips what it would have missed.
 */
export function plan(draft: StreamDraft, facts: Fact[]): Outgoing[] {
  if (!draft.writable || draft.snapshot === undefined) return [];
  const out: Outgoing[] = [];
  const step = { draft, out, facts };
  if (draft.order === 'acked') planAcked(step);
  else planWritten(step);
  draft.writable = out.length === 0;
  return out;
}

type Planning = { readonly draft: StreamDraft; readonly out: Outgoing[]; readonly facts: Fact[] };

function planWritten(planning: Planning): void {
  for (const type of resourceTypes) addAll(planning, type);
  for (const type of ['route', 'listener', 'endpoint', 'cluster', 'secret'] as const) remove(planning, type);
}

function planAcked(planning: Planning): void {
  const { draft } = planning;
  const { cluster, listener, route } = draft.types;
  for (const type of ['secret', 'cluster', 'endpoint'] as const) add(planning, type);

  // A route to a cluster that is not there, or not warm, is a 503.
  if (!isBusy(draft, 'cluster') && !isWarming(draft)) {
    add(planning, 'listener');
    add(planning, 'route');
  }
  if (isBusy(draft, 'listener') || isBusy(draft, 'route')) return;
  remove(planning, 'route');
  remove(planning, 'listener');

  // So is one to a cluster that is gone. Who refused a listener or route may still use an old one of that name.
  if (isBusy(draft, 'listener') || isBusy(draft, 'route')) return;
  if (listener.rejected.size > 0 || route.rejected.size > 0) return;
  if (draft.patient && !(listener.asked && route.asked)) return;
  remove(planning, 'endpoint');
  remove(planning, 'cluster');
  if (cluster.inFlight === undefined) remove(planning, 'secret');
}

/** Whether resources of the type are on their way, or are to be. */
function isBusy(draft: StreamDraft, type: ResourceType): boolean {
  const state = draft.types[type];
  return state.inFlight !== undefined || pending(draft, type).length > 0;
}

/** Whether the client may have a cluster without its endpoints. Those that it has an older version of do not count. */
function isWarming(draft: StreamDraft): boolean {
  // Those that are gone are not waited for, unless they come back.
  if ([...draft.awaited].some((name) => draft.snapshot?.get('endpoint', name) !== undefined)) return true;
  const { behind } = draft.types.endpoint;
  return pending(draft, 'endpoint').some(({ name }) => mayLack(behind.get(name)));
}

function mayLack(has: Has | undefined): boolean {
  return has === null || has === unknown;
}

/** What the client lacks and has not refused. */
function pending(draft: StreamDraft, type: ResourceType): Resource[] {
  const { behind, rejected } = draft.types[type];
  const found: Resource[] = [];
  for (const name of behind.keys()) {
    const resource = draft.snapshot?.get(type, name);
    if (resource !== undefined && rejected.get(name) !== resource.version) found.push(resource);
  }
  return found;
}

/** One response of the type, if there is anything to say and none in flight. */
function add(planning: Planning, type: ResourceType): void {
  const state = planning.draft.types[type];
  if (state.inFlight !== undefined) return;
  const { trusted, groups } = split(planning.draft, type);
  if (trusted.length > 0 || state.missing.size > 0 || state.owesAnswer) {
    state.suspects = groups.map((group) => group.map(({ name }) => name));
    write(planning, { type, resources: trusted, missing: [...state.missing] });
    return;
  }
  const [group, ...rest] = groups;
  state.suspects = rest.map((other) => other.map(({ name }) => name));
  if (group !== undefined) write(planning, { type, resources: group });
}

/** Every response of the type, in pieces that a node agent takes. */
function addAll(planning: Planning, type: ResourceType): void {
  const state = planning.draft.types[type];
  const { trusted, groups } = split(planning.draft, type);
  state.suspects = [];
  if (trusted.length > 0 || state.missing.size > 0 || state.owesAnswer) {
    const pieces = inPieces(trusted);
    for (const [index, resources] of pieces.entries()) {
      const complete = index === pieces.length - 1;
      write(planning, { type, resources, missing: complete ? [...state.missing] : [], complete });
    }
  }
  for (const resources of groups) write(planning, { type, resources });
}

function inPieces(resources: readonly Resource[]): Resource[][] {
  const pieces: Resource[][] = [[]];
  let size = 0;
  for (const resource of resources) {
    if (size > 0 && size + resource.frame.length > largestWritten) {
      pieces.push([]);
      size = 0;
    }
    size += resource.frame.length;
    pieces.at(-1)?.push(resource);
  }
  return pieces;
}

/** What is pending, without those under suspicion; and those, by group. */
function split(draft: StreamDraft, type: ResourceType): { trusted: Resource[]; groups: Resource[][] } {
  const waiting = pending(draft, type);
  const { suspects } = draft.types[type];
  if (suspects.length === 0) return { trusted: waiting, groups: [] };
  const byName = new Map(waiting.map((resource) => [resource.name, resource]));
  const groups = suspects
    .map((group) => group.flatMap((name) => byName.get(name) ?? []))
    .filter((group) => group.length > 0);
  const suspected = new Set(suspects.flat());
  return { trusted: waiting.filter(({ name }) => !suspected.has(name)), groups };
}

/** One response with everything of the type that is gone. */
function remove(planning: Planning, type: ResourceType): void {
  const { draft } = planning;
  const state = draft.types[type];
  if (state.inFlight !== undefined) return;
  const removed: string[] = [];
  for (const [name, has] of state.behind) {
    if (draft.snapshot?.get(type, name) !== undefined) continue;
    if (has === null) state.behind.delete(name);
    else removed.push(name);
  }
  if (removed.length > 0) write(planning, { type, resources: [], removed });
}

type Content = {
  readonly type: ResourceType;
  readonly resources: readonly Resource[];
  readonly removed?: readonly string[];
  readonly missing?: readonly string[];
  readonly complete?: boolean;
};

function write({ draft, out, facts }: Planning, content: Content): void {
  const { type, resources, removed = [], missing = [], complete = true } = content;
  const state = draft.types[type];
  draft.lastNonce += 1;
  const nonce = String(draft.lastNonce);
  if (draft.order === 'acked') for (const resource of resources) expectEndpoints(draft, resource);
  for (const { name, version } of resources) {
    state.behind.delete(name);
    facts.push({ kind: 'sent', type, name, version });
  }
  for (const name of removed) state.behind.delete(name);
  for (const name of missing) state.missing.delete(name);
  state.owesAnswer = false;
  supersede(state, new Set([...resources.map(({ name }) => name), ...removed]));
  remember(state, nonce, { resources, removed, missing, replaced: new Set() });
  if (draft.order === 'acked') {
    state.inFlight = nonce;
    state.inFlightSince = undefined;
  }
  out.push({ type, nonce, resources, removed: [...removed, ...missing], complete });
}

/** A late answer to an older letter says nothing of what this one has replaced. */
function supersede(state: TypeState, names: ReadonlySet<string>): void {
  for (const [nonce, letter] of state.outstanding) {
    const own = [...letter.resources.map(({ name }) => name), ...letter.removed];
    const newer = own.filter((name) => names.has(name));
    if (newer.length === 0) continue;
    const replaced = new Set([...letter.replaced, ...newer]);
    if (replaced.size === own.length) state.outstanding.delete(nonce);
    else state.outstanding.set(nonce, { ...letter, replaced });
  }
}

function remember(state: TypeState, nonce: string, letter: Letter): void {
  state.outstanding.set(nonce, letter);
  for (const oldest of state.outstanding.keys()) {
    if (state.outstanding.size <= mostOutstanding) break;
    state.outstanding.delete(oldest);
  }
}

/**
 * 1. Envoy warms a cluster that is new or changed until its endpoints come.
 * 2. When it has asked for them before, it does not ask again, but waits for a timeout, and with it all clusters.
 * 3. Therefore they are sent again with every cluster, and what names a new cluster waits for them.
 */
function expectEndpoints(draft: StreamDraft, resource: Resource): void {
  const { type, name } = resource;
  const isNew = mayLack(draft.types[type].behind.get(name));
  if (type === 'endpoint' && isNew) draft.awaited.add(name);
  if (type !== 'cluster') return;
  const { endpoint } = draft.types;
  for (const needed of references(resource).endpoint) {
    if (draft.snapshot?.get('endpoint', needed) === undefined) continue;
    if (isSubscribed(endpoint, needed) && !endpoint.behind.has(needed)) endpoint.behind.set(needed, unknown);
    if (isNew) draft.awaited.add(needed);
  }
}
