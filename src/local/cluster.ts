import { reasonOf } from '../base/errors.ts';
import { sleep } from '../base/time.ts';
import type { Problem } from '../model/problem.ts';
import type { KubeObject, SourceEvent } from '../sources/types.ts';
import type { Addresses } from './addresses.ts';
import { type EndpointPod, type EndpointSlice, endpointSlices, sliceObject } from './endpoints.ts';
import { applyRules, serviceRules } from './kube-proxy.ts';
import { isReady, type Machine } from './machine.ts';
import type { PodNetwork } from './network.ts';
import { createObjects, type Objects } from './objects.ts';
import { type RunningPod, startPod } from './pod.ts';
import { podObject } from './pod-object.ts';
import { type PodSet, podSets } from './pod-set.ts';
import { createPublisher, type Publisher } from './publish.ts';
import { planRollout } from './rollout.ts';

/** What stands at the moment. */
export type ClusterView = {
  readonly services: readonly KubeObject[];
  readonly slices: readonly EndpointSlice[];
};

/** The one loop that compares what should run with what runs, and takes the next step. */
export type Cluster = {
  readonly apply: (events: readonly SourceEvent[]) => void;
  readonly pods: () => readonly RunningPod[];
  /** Has everything been read that was there at the start, and acted upon? */
  readonly synced: () => boolean;
  readonly problems: () => readonly Problem[];
  readonly view: () => ClusterView;
  /** Called with every new view, before it is published. */
  readonly onChange: (listener: (view: ClusterView) => void) => void;
  /** Resolves when every pod has ended; call it after the machine's `ending` has aborted. */
  readonly ended: () => Promise<void>;
};

export type ClusterOptions = {
  readonly machine: Omit<Machine, 'changed' | 'published'>;
  readonly addresses: Addresses;
  readonly directory: string;
  readonly newUid: () => string;
};

type State = {
  readonly options: ClusterOptions;
  readonly machine: Machine;
  readonly publisher: Publisher;
  readonly pods: Map<string, RunningPod>;
  /** What is in force in each pod's network namespace. */
  readonly rules: WeakMap<PodNetwork, string>;
  readonly listeners: ((view: ClusterView) => void)[];
  view: ClusterView;
  problems: readonly Problem[];
  /** The first step after the first full list is done. */
  stepped: boolean;
};

export async function createCluster(options: ClusterOptions): Promise<Cluster> {
  const objects = createObjects();
  const wake = createSteps(() => reconcile(state, objects));
  const published = async (signal: AbortSignal): Promise<void> => {
    while (!(await wake()) && !signal.aborted) await sleep(retryPeriod, signal);
  };
  const state: State = {
    options,
    machine: { ...options.machine, changed: () => void wake(), published },
    publisher: await createPublisher(options.directory, `${options.directory}.new`),
    pods: new Map(),
    rules: new WeakMap(),
    listeners: [],
    view: { services: [], slices: [] },
    problems: [],
    stepped: false,
  };
  return {
    apply: (events) => {
      if (objects.apply(events)) void wake();
    },
    pods: () => [...state.pods.values()],
    synced: () => state.stepped,
    problems: () => state.problems,
    view: () => state.view,
    onChange: (listener) => void state.listeners.push(listener),
    ended: async () => {
      await Promise.all([...state.pods.values()].map(({ ended }) => ended));
    },
  };
}

/**
 * One step at a time. Gives a promise of a step that begins after the call: many calls in one moment share it, and a call
 * during a step gets the one after.
 */
export function createSteps<T>(step: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let queued: Promise<T> | undefined;
  return () => {
    queued ??= running.then(async () => {
      await new Promise<void>((resolve) => setImmediate(resolve));
      running = queued ?? running;
      queued = undefined;
      return await step();
    });
    return queued;
  };
}

const retryPeriod = 1_000;

/**
 * Level-based: looks at everything and assumes nothing of what it did before. Tells whether what stands is published; never
 * rejects.
 */
async function reconcile(state: State, objects: Objects): Promise<boolean> {
  // Before the first full list, what is missing is only not read yet.
  if (!objects.synced()) return true;
  try {
    takeStep(state, objects);
    state.stepped = true;
    await state.publisher.publish(published([...state.pods.values()], state.view.slices));
    await refreshRules(state);
    return true;
  } catch (error) {
    failed(state.machine, 'what should run and what runs could not be brought together', {
      reason: reasonOf(error),
    });
    return false;
  }
}

/** The next change, or the next second, tries again. */
function failed({ log, changed, ending }: Machine, what: string, fields: object): void {
  log.error(what, { ...fields });
  void sleep(retryPeriod, ending).then(() => {
    if (!ending.aborted) changed();
  });
}

function takeStep(state: State, objects: Objects): void {
  const { sets, problems } = podSets(objects.all());
  state.problems = problems;
  if (!state.machine.ending.aborted) {
    stopOrphans(state, sets);
    for (const set of sets) tryStep(state, set);
  }
  const services = objects.services();
  const current = new Map(sets.map((set) => [set.key, set]));
  const pods = [...state.pods.values()].map((running) =>
    endpointPod(running, current.get(running.pod.setKey)),
  );
  state.view = { services, slices: endpointSlices(services, pods, state.view.slices) };
  for (const listener of state.listeners) listener(state.view);
}

/** Pods that no object asks for any more. */
function stopOrphans({ pods }: State, sets: readonly PodSet[]): void {
  const keys = new Set(sets.map(({ key }) => key));
  for (const running of pods.values()) if (!keys.has(running.pod.setKey)) running.stop();
}

/** One set's trouble must keep neither the others from their step nor anything from being published. */
function tryStep(state: State, set: PodSet): void {
  try {
    stepTowards(state, set);
  } catch (error) {
    failed(state.machine, 'a set could not take its next step', { set: set.key, reason: reasonOf(error) });
  }
}

function stepTowards(state: State, set: PodSet): void {
  const mine = [...state.pods.values()].filter(({ pod }) => pod.setKey === set.key);
  const plan = planRollout(
    set,
    mine.map(({ pod, state: { phase }, state: podState }) => ({
      name: pod.name,
      hash: pod.hash,
      ready: isReady(pod, podState),
      stopping: phase === 'stopping' || phase === 'gone',
    })),
  );
  for (const running of mine) if (plan.stop.includes(running.pod.name)) running.stop();
  for (const name of plan.start) start(state, set, name);
}

function start(state: State, set: PodSet, name: string): void {
  const { machine, pods, options } = state;
  const key = `${set.namespace}/${name}`;
  const pod = {
    namespace: set.namespace,
    name,
    uid: options.newUid(),
    createdAt: new Date(machine.clock()).toISOString().replace(/\.\d+Z$/, 'Z'),
    setKey: set.key,
    ownerKind: set.owner.kind,
    workload: set.workload,
    hash: set.hash,
    template: set.template,
    address: options.addresses.take(key),
  };
  const running = startPod(pod, machine);
  pods.set(key, running);
  void running.ended.then(() => {
    pods.delete(key);
    options.addresses.free(key);
    machine.changed();
  });
}

function endpointPod({ pod, state }: RunningPod, set: PodSet | undefined): EndpointPod {
  const { namespace, name, uid, template, address } = pod;
  return {
    namespace,
    name,
    uid,
    ip: address.ip,
    labels: template.labels,
    ports: template.ports,
    ready: isReady(pod, state),
    terminating: state.phase === 'stopping' || state.phase === 'gone',
    ...(set === undefined || set.hash === pod.hash ? {} : { successor: set.template.labels }),
  };
}

function published(
  pods: readonly RunningPod[],
  slices: readonly EndpointSlice[],
): ReadonlyMap<string, object> {
  return new Map([
    ...pods.map((running): [string, object] => [
      `pod_${running.pod.namespace}_${running.pod.name}.json`,
      podObject(running),
    ]),
    ...slices.map((slice): [string, object] => [
      `endpointslice_${slice.namespace}_${slice.name}.json`,
      sliceObject(slice),
    ]),
  ]);
}

/** kube-proxy's part, for pods that have no sidecar to do it. One pod's trouble must not keep old rules in another. */
async function refreshRules({ pods, view, rules: applied, machine }: State): Promise<void> {
  const rules = serviceRules(view.services, view.slices);
  const refresh = async ({ pod, network }: RunningPod): Promise<void> => {
    const own = network();
    if (pod.template.meshed || own === undefined || applied.get(own) === rules) return;
    try {
      await applyRules(own.path, rules);
      applied.set(own, rules);
    } catch (error) {
      // A pod that went away meanwhile needs no rules.
      if (network() !== own) return;
      const name = `${pod.namespace}/${pod.name}`;
      failed(machine, 'service rules could not be written', { pod: name, reason: reasonOf(error) });
    }
  };
  await Promise.all([...pods.values()].map(refresh));
}
