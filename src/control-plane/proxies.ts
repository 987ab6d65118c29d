import { createLatest, type Latest } from '../base/latest.ts';
import type { Logger } from '../base/log.ts';
import type { Clock } from '../base/time.ts';
import type { Mesh } from '../model/mesh.ts';
import type { WorkloadKey } from '../model/names.ts';
import type { Problem } from '../model/problem.ts';
import { resourceTypes } from '../snapshot/resource.ts';
import { changes, checkReferences, createEncoder, references, type Snapshot } from '../snapshot/snapshot.ts';
import type { AppliedLedger } from '../status/status.ts';
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
  /** A proxy has said more of itself since it opened its stream. */
  readonly describe: (node: ProxyNode) => void;
  /** As the proxy says; `''` when it is not connected or has not said. */
  readonly envoyVersion: (workload: string) => string;
};

export type ProxiesOptions = {
  readonly ledger: AppliedLedger;
  readonly clock: Clock;
  readonly log: Logger;
};

type Proxy = {
  node: ProxyNode;
  readonly key: WorkloadKey;
  readonly snapshots: Latest<Snapshot>;
  last: Wanted | undefined;
  mistake: Problem | undefined;
};

export function createProxies({ ledger, clock, log }: ProxiesOptions): Proxies {
  const translate = createTranslation(log);
  const proxies = new Map<string, Proxy>();
  let mesh: Mesh | undefined;

  const update = (proxy: Proxy, now: Mesh): void => {
    // A pod that is going keeps what it has: its last requests still need it.
    if (!now.inbound.has(proxy.key)) return;
    const { last } = proxy;
    const wanted = translate(now, proxy.key, last);
    proxy.mistake = 'mistake' in wanted ? wanted.mistake : undefined;
    if ('mistake' in wanted) return;
    proxy.last = wanted;
    if (wanted.snapshot === last?.snapshot) return;
    ledger.want(proxy.node.id, wanted.snapshot, clock());
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
      // The stream of a pod that goes ends before the pod does: what it had is let go when it is gone.
      for (const id of ledger.workloads()) {
        if (!proxies.has(id) && !now.workloads.has(keyOf(id))) ledger.forget(id);
      }
    },
    open: async function* (node, signal) {
      const key = keyOf(node.id);
      const proxy: Proxy = { node, key, snapshots: createLatest(), last: undefined, mistake: undefined };
      proxies.set(node.id, proxy);
      try {
        if (mesh !== undefined) update(proxy, mesh);
        yield* proxy.snapshots.follow(signal);
      } finally {
        close(proxy);
      }
    },
    problems: () => [...new Set([...proxies.values()].flatMap(problemsOf))],
    connected: () => new Set(proxies.keys()),
    describe: (node) => {
      const proxy = proxies.get(node.id);
      if (proxy !== undefined) proxy.node = node;
    },
    envoyVersion: (workload) => proxies.get(workload)?.node.envoyVersion ?? '',
  };
}

type Wanted = {
  readonly snapshot: Snapshot;
  /** Everything that it names is in it. */
  readonly whole: boolean;
  readonly problems: readonly Problem[];
};

/** After a mistake of our own that proxy keeps its last snapshot, and the others go on. */
type Translate = (
  mesh: Mesh,
  workload: WorkloadKey,
  last: Wanted | undefined,
) => Wanted | { readonly mistake: Problem };

function problemsOf({ last, mistake }: Proxy): readonly Problem[] {
  return [...(last?.problems ?? []), ...(mistake === undefined ? [] : [mistake])];
}

function createTranslation(log: Logger): Translate {
  const translator = createTranslator();
  const encoder = createEncoder();
  const isWhole = (snapshot: Snapshot, workload: string): boolean => {
    const missing = checkReferences(snapshot, [undefinedCluster]).filter(({ kind }) => kind === 'missing');
    if (missing.length === 0) return true;
    const names = missing.map(({ type, name, from }) => `${from.type} ${from.name} names ${type} ${name}`);
    log.error('resources name what is not there; the last snapshot stays', { workload, names });
    return false;
  };
  return (mesh, workload, last) => {
    try {
      const { lists, problems } = translator.translate(mesh, workload);
      const snapshot = encoder.encode(lists);
      if (snapshot === last?.snapshot) return { ...last, problems };
      const stays = last?.whole === true && staysWhole(last.snapshot, snapshot);
      return { snapshot, whole: stays || isWhole(snapshot, workload), problems };
    } catch (error) {
      const reason = error instanceof Error ? error.stack : String(error);
      log.error('could not translate for a proxy; its last snapshot stays', { workload, reason });
      return { mistake: ourMistake(mesh, workload, error) };
    }
  };
}

function ourMistake(mesh: Mesh, workload: WorkloadKey, error: unknown): Problem {
  const pod = { group: '', kind: 'Pod', namespace: '', name: workload };
  return {
    code: 'WEFT-1302',
    severity: 'error',
    reason: 'InternalError',
    message: `Weft could not make the configuration of ${workload}, whose proxy keeps its last one: ${String(error)}`,
    fix: 'undo the last change, and report this with the log of the control plane',
    ref: mesh.workloads.get(workload)?.origin ?? pod,
    field: '',
  };
}

/** Looks only at what changed since a whole snapshot; when in doubt, says no. */
function staysWhole(before: Snapshot, after: Snapshot): boolean {
  const isThere = (type: NamedType, name: string): boolean =>
    name === undefinedCluster || after.get(type, name) !== undefined;
  return resourceTypes.every((type) =>
    changes(before, after, type).every((name) => {
      const resource = after.get(type, name);
      // Something that stayed may name it.
      if (resource === undefined) return type === 'listener';
      const named = references(resource);
      return namedTypes.every((of) => named[of].every((one) => isThere(of, one)));
    }),
  );
}

const namedTypes = ['cluster', 'endpoint', 'route'] as const;
type NamedType = (typeof namedTypes)[number];

/** A node id is a workload's key; whether there is such a workload, the mesh says. */
function keyOf(node: string): WorkloadKey {
  // A key is only ever looked up, so that a wrong one finds nothing.
  return node as WorkloadKey;
}
