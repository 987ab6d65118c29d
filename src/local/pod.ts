import { reasonOf } from '../base/errors.ts';
import { sleep } from '../base/time.ts';
import { aborted } from './aborted.ts';
import { removePodFiles, superviseApp, tcpPorts, writePodFiles } from './app.ts';
import { isReady, type Machine, type Pod, type PodState } from './machine.ts';
import { addPodNetwork, type PodNetwork } from './network.ts';
import { createOutput, type Output } from './output.ts';
import { agentWorkload, removeSidecarFiles, superviseSidecar, writeSidecarFiles } from './sidecar.ts';

/** A pod that runs, or is about to, or is on its way out. */
export type RunningPod = {
  readonly pod: Pod;
  readonly state: Readonly<PodState>;
  readonly output: { readonly app: Output; readonly proxy: Output };
  /** Its place in the pod network, while it has one. */
  readonly network: () => PodNetwork | undefined;
  /** Begins its end; no more calls are taken by its sidecar when its app is told. */
  readonly stop: () => void;
  /** Resolves when nothing of it is left. Never rejects. */
  readonly ended: Promise<void>;
};

/** After so many milliseconds a slow starter no longer keeps others from starting. */
const startPatience = 10_000;

export function startPod(pod: Pod, machine: Machine): RunningPod {
  const state: PodState = {
    phase: 'pending',
    appReady: false,
    proxyReady: false,
    appPid: 0,
    proxyPid: 0,
    restarts: 0,
    proxyRestarts: 0,
    message: 'waiting for its turn to start',
    startedAt: '',
    trouble: undefined,
  };
  const output = { app: createOutput(machine.clock), proxy: createOutput(machine.clock) };
  const stopping = new AbortController();
  const stop = AbortSignal.any([stopping.signal, machine.ending]);
  const life: Life = { pod, state, machine, output, stop, network: undefined };
  const ended = live(life).finally(() => {
    state.phase = 'gone';
    machine.changed();
  });
  return {
    pod,
    state,
    output,
    network: () => life.network,
    stop: () => {
      if (stopping.signal.aborted) return;
      state.phase = 'stopping';
      stopping.abort();
      machine.changed();
    },
    ended,
  };
}

type Life = {
  readonly pod: Pod;
  readonly state: PodState;
  readonly machine: Machine;
  readonly output: { readonly app: Output; readonly proxy: Output };
  /** The end is wanted. */
  readonly stop: AbortSignal;
  network: PodNetwork | undefined;
};

/** Tries again when the machine refuses, for instance for a moment without memory. */
async function live(life: Life): Promise<void> {
  const { pod, state, machine, stop } = life;
  for (let failures = 0; !stop.aborted; failures++) {
    try {
      await liveOnce(life);
    } catch (error) {
      state.message = reasonOf(error);
      state.trouble = { reason: 'CreateContainerError', message: state.message };
      machine.log.error('a pod failed', { pod: `${pod.namespace}/${pod.name}`, reason: state.message });
      machine.changed();
      await sleep(Math.min(30_000, 500 * 2 ** Math.min(failures, 10)), stop);
    }
  }
}

async function liveOnce(life: Life): Promise<void> {
  const { pod, state, machine, stop } = life;
  const release = await machine.slots.take();
  const timer = AbortSignal.timeout(startPatience);
  timer.addEventListener('abort', release);
  let network: PodNetwork | undefined;
  try {
    if (stop.aborted) return;
    state.message = 'starting';
    await writePodFiles(pod);
    network = await addPodNetwork(`${pod.namespace}_${pod.name}`, pod.address);
    life.network = network;
    await (pod.template.meshed ? runMeshed : runUnmeshed)(life, network.path, release);
  } finally {
    release();
    life.network = undefined;
    await removePodFiles(pod);
    // When the mesh ends its namespaces end with it, and faster than one by one.
    if (!machine.ending.aborted) await network?.remove();
  }
}

/** Service addresses lead somewhere before the app asks for them. */
async function runUnmeshed(life: Life, netns: string, release: () => void): Promise<void> {
  await life.machine.published(life.stop);
  if (!life.stop.aborted) await runApp(life, netns, release);
}

/** Sidecar first and last: the app never runs without it. */
async function runMeshed(life: Life, netns: string, release: () => void): Promise<void> {
  const { pod, state, machine, output, stop } = life;
  const workload = agentWorkload(pod, machine, netns);
  const proxyEnd = new AbortController();
  await writeSidecarFiles(pod, machine);
  await machine.registry.add(workload, stop, (why) => {
    state.message = why;
  });
  state.message = 'starting';
  const sidecar = superviseSidecar({ pod, state, machine, netns, output: output.proxy }, proxyEnd.signal);
  try {
    await until(() => state.proxyReady, stop);
    if (!stop.aborted) await runApp(life, netns, release, () => machine.registry.drain(workload));
  } finally {
    proxyEnd.abort();
    await sidecar;
    if (!machine.ending.aborted) await machine.registry.remove(workload);
    await removeSidecarFiles(pod);
  }
}

async function runApp(
  { pod, state, machine, output, stop }: Life,
  netns: string,
  release: () => void,
  drain: () => Promise<void> = async () => {},
): Promise<void> {
  state.phase = stop.aborted ? 'stopping' : 'running';
  const appEnd = new AbortController();
  const app = superviseApp({ pod, state, machine, netns, output: output.app }, appEnd.signal);
  const started = (): boolean => isReady(pod, state) || state.restarts > 0;
  // An app without ports is watched for a while before it counts as ready; it needs no room for that.
  await until(() => started() || (state.startedAt !== '' && tcpPorts(pod).length === 0), stop);
  release();
  await aborted(stop);

  state.phase = 'stopping';
  await farewell({ appPid: state.appPid, preStop: pod.template.preStop, machine, drain });
  appEnd.abort();
  await app;
}

/** Lets callers hear that the app goes, and what is under way in it come to its end: also in an app that has ceased to be ready. */
export async function farewell(options: {
  readonly appPid: number;
  readonly preStop: number;
  readonly machine: Pick<Machine, 'changed' | 'published' | 'propagation' | 'ending'>;
  readonly drain: () => Promise<void>;
}): Promise<void> {
  const { appPid, preStop, drain, machine } = options;
  const { ending } = machine;
  if (ending.aborted || appPid === 0) return;
  machine.changed();
  await machine.published(ending);
  await sleep(machine.propagation, ending);
  await Promise.race([drain(), aborted(ending)]);
  await sleep(preStop, ending);
}

/** Looks again and again; what it waits for is a number in memory, and at most some dozen pods wait at once. */
async function until(holds: () => boolean, signal: AbortSignal): Promise<void> {
  while (!holds() && !signal.aborted) await sleep(10, signal);
}
