import type { MeshSettings } from '../model/mesh.ts';
import { spiffeId, workloadKey } from '../model/names.ts';
import { refOf } from '../model/object-ref.ts';
import { shownAs, type Workload } from '../model/service.ts';
import type { PodObject } from '../sources/specs.ts';
import { wellKnown } from './labels.ts';

/** A Pod, as a workload and as what inbound views need beside it. */
export type ReadPod = {
  readonly workload: Workload;
  readonly namespace: string;
  readonly labels: Workload['labels'];
  readonly ports: readonly PodPort[];
  /** Shares its node's address with others: only a name can tell it apart. */
  readonly hostNetwork: boolean;
};
/** `name` is `''` when the Pod gives none. */
export type PodPort = { readonly name: string; readonly number: number };

/** `undefined` for a Pod that has ended: its address may already be another's. */
export function readPod(pod: PodObject, { trustDomain }: MeshSettings): ReadPod | undefined {
  const { metadata, spec, status } = pod;
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return undefined;
  const { namespace, name: podName, labels } = metadata;
  const name = ownerName(pod);
  const serviceAccount = spec.serviceAccountName ?? 'default';
  const ips = status?.podIPs?.map(({ ip }) => ip) ?? [];
  const workload: Workload = {
    key: workloadKey(namespace, podName),
    namespace,
    podName,
    name,
    serviceAccount,
    identity: spiffeId(trustDomain, namespace, serviceAccount),
    ...shownAs(labels, name),
    labels,
    addresses: ips.length > 0 ? ips : status?.podIP ? [status.podIP] : [],
    meshed: labels[wellKnown.tlsMode] === 'istio',
    origin: refOf(pod),
  };
  return { workload, namespace, labels, ports: podPorts(pod), hostNetwork: spec.hostNetwork ?? false };
}

/** A ReplicaSet is called after its Deployment and the hash of its template; people know the Deployment. */
function ownerName({ metadata }: PodObject): string {
  const owner = metadata.ownerReferences.find(({ controller }) => controller) ?? metadata.ownerReferences[0];
  if (!owner) return metadata.name;
  const hash = metadata.labels['pod-template-hash'];
  const suffix = `-${hash}`;
  if (owner.kind === 'ReplicaSet' && hash && owner.name.endsWith(suffix))
    return owner.name.slice(0, -suffix.length);
  return owner.name;
}

function podPorts({ spec }: PodObject): readonly PodPort[] {
  return [...spec.containers, ...(spec.initContainers ?? [])]
    .flatMap(({ ports = [] }) => ports)
    .filter(({ protocol }) => protocol === 'TCP')
    .map(({ name = '', containerPort }) => ({ name, number: containerPort }));
}
