import { wellKnown } from '../sources/types.ts';
import { isReady } from './machine.ts';
import type { RunningPod } from './pod.ts';

/** A running pod as a cluster's API server would show it. */
export function podObject({ pod, state }: RunningPod): object {
  const { namespace, name, uid, template, workload, hash, createdAt, address } = pod;
  const ownedBySet = pod.ownerKind === 'Deployment';
  const ready = isReady(pod, state) && state.phase === 'running';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace,
      name,
      uid,
      creationTimestamp: createdAt,
      labels: {
        ...template.labels,
        ...(ownedBySet ? { 'pod-template-hash': hash } : {}),
        ...(template.meshed ? { [wellKnown.tlsMode]: 'istio' } : {}),
      },
      annotations: template.annotations,
      ...(ownedBySet ? { ownerReferences: [replicaSet(workload, hash)] } : {}),
    },
    spec: {
      serviceAccountName: template.serviceAccount,
      nodeName: 'local',
      containers: [
        {
          name: 'app',
          image: 'local',
          ports: template.ports.map(({ name: portName, port, protocol }) => ({
            ...(portName === '' ? {} : { name: portName }),
            containerPort: port,
            protocol,
          })),
        },
      ],
    },
    status: {
      phase: state.phase === 'pending' ? 'Pending' : 'Running',
      podIP: address.ip,
      podIPs: [{ ip: address.ip }],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      containerStatuses: [
        {
          name: 'app',
          image: 'local',
          imageID: '',
          ready,
          restartCount: state.restarts,
          state: appState(state),
        },
      ],
    },
  };
}

/** Says nothing that changes by itself: each change is told to every reader. */
function appState({ phase, trouble, appPid, startedAt }: RunningPod['state']): object {
  const ending = phase === 'stopping' || phase === 'gone';
  if (trouble !== undefined && !ending) return { waiting: trouble };
  return appPid > 0 || ending ? { running: { startedAt } } : { waiting: { reason: 'ContainerCreating' } };
}

/** Between a Deployment and its pods stands a ReplicaSet, named as a cluster names it. */
function replicaSet(workload: string, hash: string): object {
  const name = `${workload}-${hash}`;
  return { apiVersion: 'apps/v1', kind: 'ReplicaSet', name, uid: name, controller: true };
}
