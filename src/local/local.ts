import { Resolver } from 'node:dns/promises';
import { mkdir } from 'node:fs/promises';
import type { Logger } from '../base/log.ts';
import type { Clock } from '../base/time.ts';
import type { Source } from '../sources/types.ts';
import { createAddresses, podNetwork } from './addresses.ts';
import { createRegistry } from './agent-client.ts';
import { serveRuntime } from './api.ts';
import { createCluster } from './cluster.ts';
import { makeZone, serveDns } from './dns.ts';
import { type ForwardTarget, serveForward } from './forward.ts';
import { createSlots, type Machine, type Pod } from './machine.ts';
import { createPodNetwork } from './network.ts';
import { systemPath } from './sidecar.ts';

export type { Pod } from './machine.ts';

export { runProblems } from './run-problems.ts';

/**
 * The local runtime: what kubelet, controllers, kube-proxy and cluster DNS do in a cluster, for pods that are processes of this
 * machine. In come the user's objects; out go running pods, each in its own network namespace, and the Pod and EndpointSlice
 * objects that say so. It asks nobody to be root outside: everything happens in the namespaces it is started in, which must be
 * the mesh's own, and ends with them. It never reads a route or a policy, and never speaks to Envoy but for its readiness.
 */
export type LocalOptions = {
  /** The user's objects. */
  readonly source: Source;
  /** Where apps start. */
  readonly directory: string;
  /** Hidden from every pod. */
  readonly stateDirectory: string;
  /** Searched before the system's directories for what apps run. */
  readonly extraPath: readonly string[];
  readonly envoy: string;
  readonly agentSocket: string;
  /** Where this runtime listens for `weft`. */
  readonly socket: string;
  /** Pods and EndpointSlices are published here, one JSON file each. */
  readonly clusterDirectory: string;
  readonly bootstrap: (pod: Pod) => string;
  /** A token bound to the pod, as the API server gives to a kubelet; it lives for `ttl` milliseconds. */
  readonly issueToken: (pod: Pod, ttl: number) => Promise<string>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly newUid: () => string;
  /** Users from this one on are the pods', one each; nobody else may be one of them. */
  readonly firstUid: number;
  readonly log: Logger;
  /** A way in from the host: connections to the socket `path` go to a ready pod of the Service. */
  readonly forward?: ForwardTarget & { readonly path: string };
  /** How many pods may start at once. */
  readonly concurrency: number;
  /** Milliseconds until the last proxy has surely heard that a pod is going. */
  readonly propagation?: number;
};

/** Runs until the signal aborts, then resolves when no process of a pod is left. */
export async function runLocal(options: LocalOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, log, directory, stateDirectory, bootstrap, issueToken } = options;
  await mkdir('/run/weft/w', { recursive: true });
  await createPodNetwork();
  // The agent is told of pods that go, too: its own signal must outlast theirs.
  const afterPods = new AbortController();
  const registry = createRegistry({ socket: options.agentSocket, clock, log, signal: afterPods.signal });
  const machine: Omit<Machine, 'changed' | 'published'> = {
    directory,
    stateDirectory,
    path: [...options.extraPath, systemPath].join(':'),
    envoy: options.envoy,
    bootstrap,
    issueToken,
    registry,
    slots: createSlots(options.concurrency),
    clock,
    random,
    log,
    propagation: options.propagation ?? 300,
    ending: signal,
  };
  const cluster = await createCluster({
    machine,
    addresses: createAddresses({ firstUid: options.firstUid }),
    directory: options.clusterDirectory,
    newUid: options.newUid,
  });
  let zone = makeZone([], []);
  cluster.onChange(({ services, slices }) => {
    zone = makeZone(services, slices);
  });
  const dns = { address: podNetwork.gateway, port: 53, zone: () => zone, log };
  await serveDns(dns, afterPods.signal);
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([podNetwork.gateway]);
  // No address is an answer, too.
  const lookUp = async (name: string): Promise<readonly string[]> =>
    await resolver.resolve4(name).catch(() => []);
  await using _api = await serveRuntime({ path: options.socket, cluster, lookUp });
  const { forward } = options;
  await using _forward =
    forward === undefined
      ? undefined
      : await serveForward({ path: forward.path, target: forward, view: cluster.view });
  for await (const events of options.source.events(signal)) cluster.apply(events);
  await cluster.ended();
  afterPods.abort();
}
