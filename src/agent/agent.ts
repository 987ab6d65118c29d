/**
 * The node agent. The platform tells it over its socket which pods of this node are meshed, with a token for each; it gives
 * each pod's Envoy one socket, and over it everything: redirect rules before the first answer, configuration relayed from
 * the control plane and kept when that is away, and a certificate for a key that is made here and leaves only to that Envoy.
 * It decides nothing: what a workload may be is the CA's to say, and how it is configured the control plane's.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../base/log.ts';
import type { Clock } from '../base/time.ts';
import { connectAds } from '../xds/xds.ts';
import { type AgentApi, serveApi } from './api.ts';
import { drain } from './drain.ts';
import { askEnvoy } from './envoy-admin.ts';
import { AgentError } from './errors.ts';
import { agentFamilies } from './own-metrics.ts';
import { type PodName, parseWorkload, type WorkloadRequest } from './request.ts';
import { startScrapes } from './scrapes.ts';
import { openWorkload, type Workload, type WorkloadDeps } from './workload.ts';

export { type BootstrapOptions, bootstrap } from './bootstrap.ts';
export type { Edge } from './edges.ts';
export type { WorkloadState } from './workload.ts';

export type AgentOptions = {
  /** The control plane's gRPC socket. It need not be there yet. */
  readonly controlPlaneSocket: string;
  /** The agent's own socket. */
  readonly socket: string;
  /** Where each workload's directory is, `<namespace>_<pod>`; made when missing. */
  readonly workloadRoot: string;
  readonly node: string;
  /** `host:port` where a Prometheus reaches `/metrics`. */
  readonly metricsAddress: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
};

export type Agent = {
  /** Settles when the signal has aborted and everything has ended: no socket is left, and Envoys go on with what they have. */
  readonly ended: Promise<void>;
};

const drainLimit = 5_000;

/** Serves until the signal aborts; resolves when its socket answers. */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<Agent> {
  const { clock, random, log, workloadRoot } = options;
  const staging = join(workloadRoot, '.sockets');
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true, mode: 0o700 });
  const controlPlane = connectAds({ address: { path: options.controlPlaneSocket }, signal, log, random });
  const workloads = createWorkloads({ controlPlane, staging, clock, random, log });
  const scrapes = startScrapes({ targets: () => workloads.all().map(scrapeTarget), clock }, signal);

  const api: AgentApi = {
    put: async (pod, body) => await workloads.put(parseWorkload(body, pod, workloadRoot)),
    remove: workloads.remove,
    drain: async (pod, gone) => {
      const { adminSocket } = workloads.find(pod);
      return {
        idle: await drain({ adminSocket, clock, limit: drainLimit }, AbortSignal.any([gone, signal])),
      };
    },
    list: () => workloads.all().map(({ state }) => state()),
    metrics: async () => await scrapes.exposition(agentFamilies(workloads.all())),
    targets: () => [{ targets: [options.metricsAddress], labels: { job: 'weft', node: options.node } }],
    edges: scrapes.edges,
    envoy: async (pod, path) => await askEnvoy(workloads.find(pod).adminSocket, path),
  };
  const server = await serveApi({ path: options.socket, api, log });
  log.info('node agent ready', { socket: options.socket, node: options.node });
  return { ended: end(signal, [server, scrapes, workloads]) };
}

async function end(signal: AbortSignal, parts: readonly AsyncDisposable[]): Promise<void> {
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  for (const part of parts) await part[Symbol.asyncDispose]();
}

function scrapeTarget({ request, adminSocket }: Workload): {
  namespace: string;
  pod: string;
  adminSocket: string;
} {
  return { namespace: request.pod.namespace, pod: request.pod.name, adminSocket };
}

type Workloads = AsyncDisposable & {
  readonly put: (request: WorkloadRequest) => Promise<void>;
  readonly remove: (pod: PodName) => Promise<boolean>;
  readonly all: () => readonly Workload[];
  /** Throws WEFT-2202. */
  readonly find: (pod: PodName) => Workload;
};

/** All meshed pods by name. What is asked about one pod happens in the order in which it was asked. */
function createWorkloads(deps: WorkloadDeps): Workloads {
  const open = new Map<string, Workload>();
  const turns = new Map<string, Promise<unknown>>();
  let closed = false;

  const inTurn = <T>(key: string, act: () => Promise<T>): Promise<T> => {
    const turn = (turns.get(key) ?? Promise.resolve()).then(act, act);
    turns.set(key, turn);
    const forget = (): void => {
      if (turns.get(key) === turn) turns.delete(key);
    };
    turn.then(forget, forget);
    return turn;
  };
  const close = async (key: string): Promise<boolean> => {
    const workload = open.get(key);
    open.delete(key);
    await workload?.[Symbol.asyncDispose]();
    return workload !== undefined;
  };
  const put = async (key: string, request: WorkloadRequest): Promise<void> => {
    const known = open.get(key);
    if (known !== undefined && isSame(known.request, request)) return known.renewToken(request.token);
    await close(key);
    if (closed) return;
    open.set(key, await openWorkload(request, deps));
    deps.log.info('workload added', { workload: key, uid: request.pod.uid });
  };

  return {
    put: async (request) =>
      await inTurn(keyOf(request.pod), async () => await put(keyOf(request.pod), request)),
    remove: async (pod) => {
      const removed = await inTurn(keyOf(pod), async () => await close(keyOf(pod)));
      if (removed) deps.log.info('workload removed', { workload: keyOf(pod) });
      return removed;
    },
    all: () => [...open.values()],
    find: (pod) => {
      const workload = open.get(keyOf(pod));
      if (workload !== undefined) return workload;
      throw new AgentError('WEFT-2202', {
        message: `No workload ${keyOf(pod)} runs on this node.`,
        fix: 'GET /workloads lists those that do.',
      });
    },
    [Symbol.asyncDispose]: async () => {
      closed = true;
      await Promise.allSettled(turns.values());
      await Promise.all([...open.keys()].map(close));
    },
  };
}

function keyOf({ namespace, name }: PodName): string {
  return `${namespace}/${name}`;
}

/** A pod of the same name with another uid is another pod. */
function isSame(a: WorkloadRequest, b: WorkloadRequest): boolean {
  return a.pod.uid === b.pod.uid && a.serviceAccount === b.serviceAccount && a.netns === b.netns;
}
