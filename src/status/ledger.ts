import { compareStrings } from '../base/sorted.ts';
import { type ObjectRef, refKey } from '../model/object-ref.ts';
import {
  differences,
  keyOf,
  keysOf,
  type Named,
  needs,
  resourcesIn,
  sizeOf,
  type WantedResource,
  type WantedSet,
  wantedIn,
} from './wanted-set.ts';

export type { WantedLayer, WantedResource, WantedSet } from './wanted-set.ts';

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
 * Counts what is applied where. What a proxy holds is what it wants, except for what is noted: so a proxy that is up
 * to date costs no memory per resource, and every call costs what it changes. `want` compares each pair of layers once,
 * not once per proxy.
 */
export type AppliedLedger = {
  /** The proxy's newest set, replacing the one before. */
  readonly want: (workload: string, wanted: WantedSet, now: number) => void;
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

/** A resource of a proxy that does not hold just what is wanted. */
type Entry = {
  readonly type: string;
  readonly name: string;
  held?: string | undefined;
  refused?: { readonly version: string; readonly message: string } | undefined;
};

type Proxy = {
  readonly workload: string;
  wanted: WantedSet;
  /** By type and name. What is wanted and not here is held in the wanted version. */
  readonly open: Map<string, Entry>;
  readonly rejected: Set<Entry>;
  pending: number;
  /** Held, and wanted no more. */
  stale: number;
  inSync: boolean;
  since: number;
};

/** How many proxies need something of an object; and of those that do not run all of it, how much is open. */
type ObjectRow = { total: number; readonly open: Map<string, Record<'pending' | 'rejected', number>> };

type Ledger = {
  readonly proxies: Map<string, Proxy>;
  readonly objects: Map<string, ObjectRow>;
  changed: Set<string>;
};

const nothing: WantedSet = { layers: [] };

export function createAppliedLedger(): AppliedLedger {
  const ledger: Ledger = { proxies: new Map(), objects: new Map(), changed: new Set() };
  const proxyOf = (workload: string, now: number): Proxy => {
    const known = ledger.proxies.get(workload) ?? newProxy(workload, now);
    ledger.proxies.set(workload, known);
    return known;
  };
  return {
    want: (workload, wanted, now) => {
      const proxy = proxyOf(workload, now);
      want(ledger, proxy, wanted);
      settle(proxy, now);
    },
    fact: (workload, fact, now) => {
      const proxy = proxyOf(workload, now);
      // Most of what is sent was never refused, and then sending it changes nothing.
      if (fact.kind === 'sent' && proxy.open.get(keyOf(fact))?.refused === undefined) return;
      change(ledger, proxy, fact, (entry) => apply(entry, fact));
      settle(proxy, now);
    },
    reset: (workload, now) => {
      const proxy = ledger.proxies.get(workload);
      if (!proxy) return;
      for (const entry of [...proxy.open.values()]) change(ledger, proxy, entry, forgetAnswers);
      for (const resource of resourcesIn(proxy.wanted)) change(ledger, proxy, resource, forgetAnswers);
      settle(proxy, now);
    },
    forget: (workload) => {
      const proxy = ledger.proxies.get(workload);
      if (!proxy) return;
      want(ledger, proxy, nothing);
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
    wanted: nothing,
    open: new Map(),
    rejected: new Set(),
    pending: 0,
    stale: 0,
    inSync: true,
    since: now,
  };
}

function want(ledger: Ledger, proxy: Proxy, after: WantedSet): void {
  const before = proxy.wanted;
  const touched = new Set<string>();
  for (const named of differences(before, after)) {
    const [old, fresh] = [wantedIn(before, named), wantedIn(after, named)];
    if (old === fresh) continue;
    const entry = openedEntry(proxy, named);
    count(ledger, proxy, { entry, wanted: old }, -1);
    count(ledger, proxy, { entry, wanted: fresh }, 1);
    keep(proxy, entry, fresh);
    for (const key of difference(keysOf(old?.origin), keysOf(fresh?.origin))) touched.add(key);
  }
  proxy.wanted = after;
  for (const key of touched) {
    const row = rowOf(ledger, key);
    row.total += Number(needs(after, key)) - Number(needs(before, key));
    if (row.total === 0 && row.open.size === 0) ledger.objects.delete(key);
    ledger.changed.add(key);
  }
}

function difference(a: readonly string[], b: readonly string[]): readonly string[] {
  if (a.length === b.length && a.every((key, index) => key === b[index])) return [];
  return [...a.filter((key) => !b.includes(key)), ...b.filter((key) => !a.includes(key))];
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

/** The entry as it stands, or as it stood for without saying so. */
function openedEntry(proxy: Proxy, named: Named): Entry {
  const open = proxy.open.get(keyOf(named));
  if (open !== undefined) return open;
  const held = wantedIn(proxy.wanted, named)?.version;
  return { type: named.type, name: named.name, held };
}

/** The one place where what a proxy holds changes: counted out before, and in after. */
function change(ledger: Ledger, proxy: Proxy, named: Named, edit: (entry: Entry) => void): void {
  const wanted = wantedIn(proxy.wanted, named);
  const entry = openedEntry(proxy, named);
  count(ledger, proxy, { entry, wanted }, -1);
  edit(entry);
  count(ledger, proxy, { entry, wanted }, 1);
  keep(proxy, entry, wanted);
}

function keep(proxy: Proxy, entry: Entry, wanted: WantedResource | undefined): void {
  const { held, refused } = entry;
  // What is neither wanted nor held leaves no trace: an old refusal is not remembered for later.
  const goneForGood = wanted === undefined && held === undefined;
  const asWanted = wanted !== undefined && held === wanted.version && refused === undefined;
  if (goneForGood || asWanted) proxy.open.delete(keyOf(entry));
  else proxy.open.set(keyOf(entry), entry);
}

type Standing = { readonly entry: Entry; readonly wanted: WantedResource | undefined };

function stateOf({ entry: { held, refused }, wanted }: Standing): State | undefined {
  if (!wanted) return undefined;
  // A proxy that refuses a version may still hold it from before: then it runs what is wanted.
  if (held === wanted.version) return 'acked';
  return refused?.version === wanted.version ? 'rejected' : 'pending';
}

function count(ledger: Ledger, proxy: Proxy, standing: Standing, by: 1 | -1): void {
  const { entry, wanted } = standing;
  const state = stateOf(standing);
  if (!state && entry.held !== undefined) proxy.stale += by;
  if (!wanted || !state || state === 'acked') return;
  if (state === 'pending') proxy.pending += by;
  else if (by === 1) proxy.rejected.add(entry);
  else proxy.rejected.delete(entry);
  for (const key of keysOf(wanted.origin)) {
    const row = rowOf(ledger, key);
    const counts = row.open.get(proxy.workload) ?? { pending: 0, rejected: 0 };
    counts[state] += by;
    if (counts.pending + counts.rejected > 0) row.open.set(proxy.workload, counts);
    else row.open.delete(proxy.workload);
    ledger.changed.add(key);
  }
}

function rowOf(ledger: Ledger, key: string): ObjectRow {
  const row = ledger.objects.get(key) ?? { total: 0, open: new Map() };
  ledger.objects.set(key, row);
  return row;
}

function settle(proxy: Proxy, now: number): void {
  const inSync = proxy.pending + proxy.rejected.size + proxy.stale === 0;
  if (inSync === proxy.inSync) return;
  proxy.inSync = inSync;
  proxy.since = now;
}

function objectAnswer(ledger: Ledger, key: string): Applied {
  const row = ledger.objects.get(key);
  if (!row) return { total: 0, acked: 0, pending: [], rejected: [] };
  const open = [...row.open].sort(([a], [b]) => compareStrings(a, b));
  return {
    total: row.total,
    acked: row.total - open.length,
    pending: open.filter(([, counts]) => counts.rejected === 0).map(([workload]) => workload),
    rejected: open
      .filter(([, counts]) => counts.rejected > 0)
      .map(([workload]) => ({ workload, message: refusal(ledger.proxies.get(workload), key) })),
  };
}

function refusal(proxy: Proxy | undefined, key: string): string {
  const messages = [...(proxy?.rejected ?? [])]
    .filter((entry) => keysOf(proxy && wantedIn(proxy.wanted, entry)?.origin).includes(key))
    .map((entry) => entry.refused?.message ?? '');
  return messages.sort(compareStrings)[0] ?? '';
}

function progress(proxy: Proxy | undefined): ProxyProgress | undefined {
  if (!proxy) return undefined;
  const { inSync, since, wanted, pending } = proxy;
  const rejected = [...proxy.rejected]
    .map(({ type, name, refused }) => ({ type, name, message: refused?.message ?? '' }))
    .sort((a, b) => compareStrings(`${a.type}|${a.name}`, `${b.type}|${b.name}`));
  return { inSync, since, wanted: sizeOf(wanted), pending, rejected };
}
