import { createLatest, type Latest } from '../base/latest.ts';
import type { Logger } from '../base/log.ts';
import type { Clock } from '../base/time.ts';
import type { Mesh } from '../model/mesh.ts';
import { type WorkloadKey, workloadKey } from '../model/names.ts';
import type { Problem } from '../model/problem.ts';
import { checkReferences, createEncoder, type Snapshot } from '../snapshot/snapshot.ts';
import type { AppliedLedger, WantedResource } from '../status/status.ts';
import { createTranslator, undefinedCluster } from '../translate/translate.ts';

/** Who opens a stream: a workload's key, and what its Envoy says of itself. */
export type ProxyNode = { readonly id: string; readonly envoyVersion: string };

/** The sidecars that are connected, and what each shall have. */
export type Proxies = {
  /** Every connected proxy whose resources changed is woken; the others cost a comparison. */
  readonly refresh: (mesh: Mesh) => void;
  /** What one stream is to send, from now until its signal aborts. Nothing before the mesh knows the workload. */
  readonly open: (node: ProxyNode, signal: AbortSignal) => AsyncIterable<Snapshot>;
  readonly problems: () => readonly Problem[];
  readonly connected: () => ReadonlySet<string>;
  /** As the proxy says; `''` when it is not connected or has not said. */
  readonly envoyVersion: (workload: string) => string;
};

export type ProxiesOptions = {
  readonly ledger: AppliedLedger;
  readonly clock: Clock;
  readonly log: Logger;
};

type Proxy = {
  readonly node: ProxyNode;
  readonly key: WorkloadKey;
  readonly snapshots: Latest<Snapshot>;
  last: Snapshot | undefined;
  problems: readonly Problem[];
};

export function createProxies({ ledger, clock, log }: ProxiesOptions): Proxies {
  const translate = createTranslation(log);
  const proxies = new Map<string, Proxy>();
  let mesh: Mesh | undefined;

  const update = (proxy: Proxy, now: Mesh): void => {
    // A pod that is going keeps what it has: its last requests still need it.
    if (!now.inbound.has(proxy.key)) return;
    const wanted = translate(now, proxy.key);
    if (wanted === undefined) return;
    proxy.problems = wanted.problems;
    if (wanted.snapshot === proxy.last) return;
    proxy.last = wanted.snapshot;
    ledger.want(proxy.node.id, resourcesOf(wanted.snapshot), clock());
    // One that is not whole is wanted all the same, and never applied: its objects say so.
    if (wanted.whole) proxy.snapshots.set(wanted.snapshot);
  };
  const close = (proxy: Proxy): void => {
    const { id } = proxy.node;
    if (proxies.get(id) !== proxy) return;
    proxies.delete(id);
    if (mesh?.workloads.has(proxy.key) === true) ledger.reset(id, clock());
    else ledger.forget(id);
  };
  return {
    refresh: (now) => {
      mesh = now;
      for (const proxy of proxies.values()) update(proxy, now);
    },
    open: async function* (node, signal) {
      const key = keyOf(node.id);
      const proxy: Proxy = { node, key, snapshots: createLatest(), last: undefined, problems: [] };
      proxies.set(node.id, proxy);
      try {
        if (mesh !== undefined) update(proxy, mesh);
        yield* proxy.snapshots.follow(signal);
      } finally {
        close(proxy);
      }
    },
    problems: () => [...new Set([...proxies.values()].flatMap(({ problems }) => problems))],
    connected: () => new Set(proxies.keys()),
    envoyVersion: (workload) => proxies.get(workload)?.node.envoyVersion ?? '',
  };
}

type Wanted = {
  readonly snapshot: Snapshot;
  /** Everything that it names is in it. */
  readonly whole: boolean;
  readonly problems: readonly Problem[];
};

/** `undefined` after a mistake of our own: that proxy keeps its last snapshot, and the others go on. */
function createTranslation(log: Logger): (mesh: Mesh, workload: WorkloadKey) => Wanted | undefined {
  const translator = createTranslator();
  const encoder = createEncoder();
  const checked = new WeakMap<Snapshot, boolean>();
  const isWhole = (snapshot: Snapshot, workload: string): boolean => {
    const known = checked.get(snapshot);
    if (known !== undefined) return known;
    const missing = checkReferences(snapshot, [undefinedCluster]).filter(({ kind }) => kind === 'missing');
    if (missing.length > 0) {
      const names = missing.map(({ type, name, from }) => `${from.type} ${from.name} names ${type} ${name}`);
      log.error('resources name what is not there; the last snapshot stays', { workload, names });
    }
    checked.set(snapshot, missing.length === 0);
    return missing.length === 0;
  };
  return (mesh, workload) => {
    try {
      const { lists, problems } = translator.translate(mesh, workload);
      const snapshot = encoder.encode(lists);
      return { snapshot, whole: isWhole(snapshot, workload), problems };
    } catch (error) {
      const reason = error instanceof Error ? error.stack : String(error);
      log.error('could not translate for a proxy; its last snapshot stays', { workload, reason });
      return undefined;
    }
  };
}

/** A node id is a workload's key; whether there is such a workload, the mesh says. */
function keyOf(node: string): WorkloadKey {
  const [namespace = '', name = ''] = node.split('/');
  return workloadKey(namespace, name);
}

function* resourcesOf(snapshot: Snapshot): Generator<WantedResource> {
  for (const type of ['cluster', 'endpoint', 'listener', 'route'] as const) yield* snapshot.entries(type);
}
