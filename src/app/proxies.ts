import { createLatest, type Latest } from '../base/latest.ts';
import type { Logger } from '../base/log.ts';
import type { Clock } from '../base/time.ts';
import type { Mesh } from '../model/mesh.ts';
import { type WorkloadKey, workloadKey } from '../model/names.ts';
import type { Problem } from '../model/problem.ts';
import { checkReferences, createEncoder, type Snapshot } from '../snapshot/snapshot.ts';
import type { AppliedLedger } from '../status/status.ts';
import { createTranslator } from '../translate/translate.ts';

type Proxy = {
  readonly node: ProxyNode;
  readonly snapshots: Latest<Snapshot>;
  last: Snapshot | undefined;
  problems: readonly Problem[];
};

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

/** Who opens a stream: a workload's key, and what its Envoy says of itself. */
export type ProxyNode = { readonly id: string; readonly envoyVersion: string };

export type ProxiesOptions = { readonly ledger: AppliedLedger; readonly clock: Clock; readonly log: Logger };

export function createProxies({ ledger, clock, log }: ProxiesOptions): Proxies {
  const translator = createTranslator();
  const encoder = createEncoder();
  const checked = new WeakMap<Snapshot, boolean>();
  const proxies = new Map<string, Proxy>();
  let mesh: Mesh | undefined;

  const isWhole = (snapshot: Snapshot, node: string): boolean => {
    const known = checked.get(snapshot);
    if (known !== undefined) return known;
    const missing = checkReferences(snapshot).filter(({ kind }) => kind === 'missing');
    if (missing.length > 0)
      log.error('resources name what is not there; the last snapshot stays', { node, missing });
    checked.set(snapshot, missing.length === 0);
    return missing.length === 0;
  };
  const update = (node: string, proxy: Proxy, now: Mesh): void => {
    const [namespace = '', name = ''] = node.split('/');
    const workload: WorkloadKey = workloadKey(namespace, name);
    // A pod that is going keeps what it has: its last requests still need it.
    if (!now.inbound.has(workload)) return;
    try {
      const { lists, problems } = translator.translate(now, workload);
      proxy.problems = problems;
      const snapshot = encoder.encode(lists);
      if (snapshot === proxy.last || !isWhole(snapshot, node)) return;
      proxy.last = snapshot;
      ledger.want(node, allResources(snapshot), clock());
      proxy.snapshots.set(snapshot);
    } catch (error) {
      // Our own mistake: this proxy keeps its last snapshot, and the others go on.
      log.error('could not translate for a proxy; its last snapshot stays', { node, error: stackOf(error) });
    }
  };
  return {
    refresh: (now) => {
      mesh = now;
      for (const [node, proxy] of proxies) update(node, proxy, now);
    },
    open: async function* (said, signal) {
      const node = said.id;
      const proxy: Proxy = { node: said, snapshots: createLatest(), last: undefined, problems: [] };
      proxies.set(node, proxy);
      try {
        if (mesh !== undefined) update(node, proxy, mesh);
        yield* proxy.snapshots.follow(signal);
      } finally {
        if (proxies.get(node) === proxy) {
          proxies.delete(node);
          if (mesh?.workloads.has(keyOf(node)) === true) ledger.reset(node, clock());
          else ledger.forget(node);
        }
      }
    },
    problems: () => [...new Set([...proxies.values()].flatMap(({ problems }) => problems))],
    connected: () => new Set(proxies.keys()),
    envoyVersion: (workload) => proxies.get(workload)?.node.envoyVersion ?? '',
  };
}

/** A node id is a workload's key; whether there is such a workload, the mesh says. */
function keyOf(node: string): WorkloadKey {
  const [namespace = '', name = ''] = node.split('/');
  return workloadKey(namespace, name);
}

function* allResources(snapshot: Snapshot) {
  for (const type of ['cluster', 'endpoint', 'listener', 'route'] as const) yield* snapshot.entries(type);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
