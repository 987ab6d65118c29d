import type { PodSet } from './pod-set.ts';

/** A pod of a set as it stands. */
export type StandingPod = {
  readonly name: string;
  readonly hash: string;
  readonly ready: boolean;
  readonly stopping: boolean;
};

export type Rollout = { readonly start: readonly string[]; readonly stop: readonly string[] };

/**
 * The next steps towards a set, as a rolling update with `maxUnavailable: 0` and `maxSurge: 1` makes them: a pod that answers
 * is let go only when enough others answer. Called again whenever a pod has changed; takes no step twice.
 */
export function planRollout(set: PodSet, standing: readonly StandingPod[]): Rollout {
  if (set.owner.kind === 'Pod') return planSingle(set, standing);
  const wanted = new Set(Array.from({ length: set.replicas }, (_, index) => podName(set, index)));
  const staying = standing.filter((pod) => !pod.stopping);
  const isWanted = (pod: StandingPod): boolean => pod.hash === set.hash && wanted.has(pod.name);
  const surplus = staying.filter((pod) => !isWanted(pod));

  let spare = staying.filter((pod) => pod.ready).length - set.replicas;
  const stop: string[] = [];
  for (const pod of surplus) {
    // What does not answer is missed by nobody.
    if (pod.ready && spare-- <= 0) continue;
    stop.push(pod.name);
  }

  const taken = new Set(standing.map((pod) => pod.name));
  const room = set.replicas + 1 - (staying.length - stop.length);
  const missing = [...wanted].filter((name) => !taken.has(name));
  return { start: missing.slice(0, Math.max(0, room)), stop };
}

/** A bare Pod has one name, so its successor must wait until it is gone. */
function planSingle(set: PodSet, standing: readonly StandingPod[]): Rollout {
  const old = standing.filter((pod) => pod.hash !== set.hash && !pod.stopping);
  return { start: standing.length === 0 ? [set.workload] : [], stop: old.map((pod) => pod.name) };
}

function podName(set: PodSet, index: number): string {
  // A pod's name is also its host name, which may have 63 characters.
  return `${set.workload.slice(0, 45)}-${set.hash}-${index}`;
}
