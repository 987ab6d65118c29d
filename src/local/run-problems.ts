import { type ObjectRef, refKey, refOf } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import type { ContainerStatus, DeploymentObject, PodObject } from '../sources/specs.ts';
import { podSets } from './pod-set.ts';

/** What the control plane holds of the runtime's affairs. */
export type RunView = {
  readonly deployments: readonly DeploymentObject[];
  /** As published. */
  readonly pods: readonly PodObject[];
};

/** Deployments that say nothing which this runtime could start, and pods whose app does not run, with who asked for them. */
export function runProblems({ deployments, pods }: RunView): readonly Problem[] {
  const stuck = pods.flatMap(readStuck);
  const known = new Set(deployments.map((deployment) => refKey(refOf(deployment))));
  const byOwner = Map.groupBy(
    stuck.filter(({ owner }) => owner !== undefined && known.has(refKey(owner))),
    ({ owner }) => (owner === undefined ? '' : refKey(owner)),
  );
  return [
    ...podSets(deployments).problems,
    ...stuck.map((pod) => stuckProblem(pod.ref, [pod])),
    ...[...byOwner.values()].flatMap((mine) => {
      const owner = mine[0]?.owner;
      return owner === undefined ? [] : [stuckProblem(owner, mine)];
    }),
  ];
}

/** A pod whose app the runtime tries to start again and again. */
type Stuck = {
  readonly ref: ObjectRef;
  /** The Deployment that asked for it. */
  readonly owner: ObjectRef | undefined;
  readonly reason: string;
  readonly why: string;
  readonly restarts: number;
};

const reasons: ReadonlySet<string | undefined> = new Set(['CrashLoopBackOff', 'CreateContainerError']);

function readStuck(pod: PodObject): readonly Stuck[] {
  const isStuck = ({ state }: ContainerStatus): boolean => reasons.has(state?.waiting?.reason);
  const status = pod.status?.containerStatuses?.find(isStuck);
  const { reason, message = '' } = status?.state?.waiting ?? {};
  if (status === undefined || reason === undefined) return [];
  return [{ ref: refOf(pod), owner: ownerOf(pod), reason, why: message, restarts: status.restartCount }];
}

/** Through the ReplicaSet between them, which is called after the Deployment and the hash of its template. */
function ownerOf({ metadata }: PodObject): ObjectRef | undefined {
  const suffix = `-${metadata.labels['pod-template-hash']}`;
  const set = metadata.ownerReferences.find(
    ({ kind, name }) => kind === 'ReplicaSet' && name.endsWith(suffix),
  );
  if (set === undefined) return undefined;
  const name = set.name.slice(0, -suffix.length);
  return { group: 'apps', kind: 'Deployment', namespace: metadata.namespace, name };
}

function stuckProblem(ref: ObjectRef, [first, ...others]: readonly Stuck[]): Problem {
  const { ref: pod = ref, reason = '', why = '', restarts = 0 } = first ?? {};
  const name = `${pod.namespace}/${pod.name}`;
  const what =
    reason === 'CrashLoopBackOff'
      ? `does not stay up (${why}), restarted ${restarts === 1 ? 'once' : `${restarts} times`}`
      : `cannot be started (${why})`;
  const who = ref.kind === 'Pod' ? 'its app' : `pod ${name}`;
  const more = others.length === 0 ? '' : `; and ${others.length} more of its pods`;
  return {
    code: 'WEFT-1213',
    severity: 'error',
    reason,
    message: `${who} ${what}${more}`,
    fix: `weft logs ${name}`,
    ref,
    field: ref.kind === 'Deployment' ? 'spec.template.metadata.annotations' : 'metadata.annotations',
  };
}
