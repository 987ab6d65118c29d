import { compareStrings } from '../base/sorted.ts';
import { type ObjectRef, refKey } from '../model/object-ref.ts';

/** One resource that a proxy should have. A snapshot's entries have this form. */
export type WantedResource = {
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly origin: readonly ObjectRef[];
};

/** What a proxy's stream tells of one resource. `removed`: the proxy let it go. */
export type AppliedFact = { readonly type: string; readonly name: string } & (
  | { readonly kind: 'sent' | 'acked'; readonly version: string }
  | { readonly kind: 'nacked'; readonly version: string; readonly message: string }
  | { readonly kind: 'removed' }
);

/** How far one object has come. `total` counts proxies that need something of it; lists are sorted by workload. */
export type Applied = {
  readonly total: number;
  readonly acked: number;
  readonly pending: readonly string[];
  readonly rejected: readonly { readonly workload: string; readonly message: string }[];
};

export type ProxyProgress = {
  /** It holds every wanted resource in the wanted version, and nothing else. */
  readonly inSync: boolean;
  /** Milliseconds since the epoch: when `inSync` last became what it is. */
  readonly since: number;
  readonly wanted: number;
  readonly pending: number;
  readonly rejected: readonly { readonly type: string; readonly name: string; readonly message: string }[];
};

/**
 * Counts what is applied where. Every call costs what it changes: a fact costs the objects behind one resource,
 * and only `want` reads a whole snapshot.
 */
export type AppliedLedger = {
  /** The proxy's newest snapshot, replacing the one before. */
  readonly want: (workload: string, resources: Iterable<WantedResource>, now: number) => void;
  readonly fact: (workload: string, fact: AppliedFact, now: number) => void;
  /** The proxy's stream ended: what it holds is unknown until it says so again. */
  readonly reset: (workload: string, now: number) => void;
  /** The proxy is gone for good. */
  readonly forget: (workload: string) => void;
  readonly object: (ref: ObjectRef) => Applied;
  readonly proxy: (workload: string) => ProxyProgress | undefined;
  readonly workloads: () => readonly string[];
  /** Keys (`refKey`) of objects whose answer may have changed since the last call. */
  readonly takeChanged: () => ReadonlySet<string>;
};

type State = 'acked' | 'pending' | 'rejected';

/** One resource on one proxy; without `wanted` it is on its way out. */
type Entry = {
  readonly type: string;
  readonly name: string;
  wanted?: { readonly version: string; readonly objects: readonly string[] } | undefined;
  held?: string | undefined;
  refused?: { readonly version: string; readonly message: string } | undefined;
  round: number;
};

type Counts = Record<State, number>;
type Proxy = {
  readonly workload: string;
  readonly entries: Map<string, Entry>;
  readonly objects: Map<string, Counts>;
  readonly counts: Counts;
  readonly rejected: Set<Entry>;
  /** Held, and wanted no more. */
  stale: number;
  inSync: boolean;
  since: number;
  round: number;
};
type ObjectRow = { acked: number; readonly pending: Set<string>; readonly rejected: Set<string> };

type Ledger = {
  readonly proxies: Map<string, Proxy>;
  readonly objects: Map<string, ObjectRow>;
  changed: Set<string>;
};

export function createAppliedLedger(): AppliedLedger {
  const ledger: Ledger = { proxies: new Map(), objects: new Map(), changed: new Set() };
  const proxyOf = (workload: string, now: number): Proxy => {
    const known = ledger.proxies.get(workload) ?? newProxy(workload, now);
    ledger.proxies.set(workload, known);
    return known;
  };
  return {
    want: (workload, resources, now) => {
      const proxy = proxyOf(workload, now);
      want(ledger, proxy, resources);
      settle(proxy, now);
    },
    fact: (workload, fact, now) => {
      const proxy = proxyOf(workload, now);
      change(ledger, proxy, entryOf(proxy, fact), (entry) => apply(entry, fact));
      settle(proxy, now);
    },
    reset: (workload, now) => {
      const proxy = ledger.proxies.get(workload);
      if (!proxy) return;
      for (const entry of [...proxy.entries.values()]) change(ledger, proxy, entry, forgetAnswers);
      settle(proxy, now);
    },
    forget: (workload) => {
      const proxy = ledger.proxies.get(workload);
      if (!proxy) return;
      for (const entry of [...proxy.entries.values()]) change(ledger, proxy, entry, forgetAll);
      ledger.proxies.delete(workload);
    },
    object: (ref) => objectAnswer(ledger, refKey(ref)),
    proxy: (workload) => progress(ledger.proxies.get(workload)),
    workloads: () => [...ledger.proxies.keys()].sort(compareStrings),
    takeChanged: () => {
      const changed = ledger.changed;
      ledger.changed = new Set();
      return changed;
    },
  };
}

function newProxy(workload: string, now: number): Proxy {
  return {
    workload,
    entries: new Map(),
    objects: new Map(),
    counts: { acked: 0, pending: 0, rejected: 0 },
    rejected: new Set(),
    stale: 0,
    inSync: true,
    since: now,
    round: 0,
  };
}

function entryOf(proxy: Proxy, { type, name }: { readonly type: string; readonly name: string }): Entry {
  const key = `${type}|${name}`;
  const entry = proxy.entries.get(key) ?? { type, name, round: 0 };
  proxy.entries.set(key, entry);
  return entry;
}

function want(ledger: Ledger, proxy: Proxy, resources: Iterable<WantedResource>): void {
  proxy.round += 1;
  for (const resource of resources) {
    const entry = entryOf(proxy, resource);
    entry.round = proxy.round;
    const objects = keysOf(resource.origin);
    if (entry.wanted?.version === resource.version && entry.wanted.objects === objects) continue;
    change(ledger, proxy, entry, () => {
      entry.wanted = { version: resource.version, objects };
    });
  }
  for (const entry of [...proxy.entries.values()]) {
    if (!entry.wanted || entry.round === proxy.round) continue;
    change(ledger, proxy, entry, () => {
      entry.wanted = undefined;
    });
  }
}

/** Origins are shared by reference among the proxies that share a resource; so are their keys. */
const keysByOrigin = new WeakMap<readonly ObjectRef[], readonly string[]>();
function keysOf(origin: readonly ObjectRef[]): readonly string[] {
  const known = keysByOrigin.get(origin);
  if (known) return known;
  const keys = [...new Set(origin.map(refKey))];
  keysByOrigin.set(origin, keys);
  return keys;
}

function apply(entry: Entry, fact: AppliedFact): void {
  switch (fact.kind) {
    case 'sent':
      // The same refused version on its way again: its answer is open once more.
      entry.refused = undefined;
      return;
    case 'acked':
      entry.held = fact.version;
      entry.refused = undefined;
      return;
    case 'nacked':
      entry.refused = { version: fact.version, message: fact.message };
      return;
    case 'removed':
      entry.held = undefined;
      return;
    default:
      fact satisfies never;
  }
}

function forgetAnswers(entry: Entry): void {
  entry.held = undefined;
  entry.refused = undefined;
}

function forgetAll(entry: Entry): void {
  forgetAnswers(entry);
  entry.wanted = undefined;
}

function stateOf({ wanted, held, refused }: Entry): State | undefined {
  if (!wanted) return undefined;
  // A proxy that refuses a version may still hold it from before: then it runs what is wanted.
  if (held === wanted.version) return 'acked';
  return refused?.version === wanted.version ? 'rejected' : 'pending';
}

/** The one place where an entry changes: counted out before, and in after. */
function change(ledger: Ledger, proxy: Proxy, entry: Entry, edit: (entry: Entry) => void): void {
  count(ledger, proxy, entry, -1);
  edit(entry);
  count(ledger, proxy, entry, 1);
  if (!entry.wanted && entry.held === undefined) proxy.entries.delete(`${entry.type}|${entry.name}`);
}

function count(ledger: Ledger, proxy: Proxy, entry: Entry, by: 1 | -1): void {
  const state = stateOf(entry);
  if (!state || !entry.wanted) {
    if (entry.held !== undefined) proxy.stale += by;
    return;
  }
  proxy.counts[state] += by;
  if (state === 'rejected' && by === 1) proxy.rejected.add(entry);
  if (state === 'rejected' && by === -1) proxy.rejected.delete(entry);
  for (const key of entry.wanted.objects) {
    const counts = proxy.objects.get(key) ?? { acked: 0, pending: 0, rejected: 0 };
    const before = worst(counts);
    counts[state] += by;
    const after = worst(counts);
    if (after) proxy.objects.set(key, counts);
    else proxy.objects.delete(key);
    ledger.changed.add(key);
    if (before !== after) move(ledger, key, { workload: proxy.workload, before, after });
  }
}

/** An object is applied on a proxy when everything of it is. */
function worst(counts: Counts): State | undefined {
  if (counts.rejected > 0) return 'rejected';
  if (counts.pending > 0) return 'pending';
  return counts.acked > 0 ? 'acked' : undefined;
}

type Move = {
  readonly workload: string;
  readonly before: State | undefined;
  readonly after: State | undefined;
};

function move(ledger: Ledger, key: string, { workload, before, after }: Move): void {
  const row = ledger.objects.get(key) ?? { acked: 0, pending: new Set(), rejected: new Set() };
  if (before === 'acked') row.acked -= 1;
  else if (before) row[before].delete(workload);
  if (after === 'acked') row.acked += 1;
  else if (after) row[after].add(workload);
  if (row.acked + row.pending.size + row.rejected.size > 0) ledger.objects.set(key, row);
  else ledger.objects.delete(key);
}

function settle(proxy: Proxy, now: number): void {
  const inSync = proxy.counts.pending + proxy.counts.rejected + proxy.stale === 0;
  if (inSync === proxy.inSync) return;
  proxy.inSync = inSync;
  proxy.since = now;
}

function objectAnswer(ledger: Ledger, key: string): Applied {
  const row = ledger.objects.get(key);
  if (!row) return { total: 0, acked: 0, pending: [], rejected: [] };
  return {
    total: row.acked + row.pending.size + row.rejected.size,
    acked: row.acked,
    pending: [...row.pending].sort(compareStrings),
    rejected: [...row.rejected].sort(compareStrings).map((workload) => ({
      workload,
      message: refusal(ledger.proxies.get(workload), key),
    })),
  };
}

function refusal(proxy: Proxy | undefined, key: string): string {
  const messages = [...(proxy?.rejected ?? [])]
    .filter((entry) => entry.wanted?.objects.includes(key))
    .map((entry) => entry.refused?.message ?? '');
  return messages.sort(compareStrings)[0] ?? '';
}

function progress(proxy: Proxy | undefined): ProxyProgress | undefined {
  if (!proxy) return undefined;
  const { inSync, since, counts } = proxy;
  const rejected = [...proxy.rejected]
    .map(({ type, name, refused }) => ({ type, name, message: refused?.message ?? '' }))
    .sort((a, b) => compareStrings(`${a.type}|${a.name}`, `${b.type}|${b.name}`));
  return {
    inSync,
    since,
    wanted: counts.acked + counts.pending + counts.rejected,
    pending: counts.pending,
    rejected,
  };
}
