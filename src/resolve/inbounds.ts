import { stableJson } from '../base/sorted.ts';
import type { Access, InboundView, MtlsMode } from '../model/access.ts';
import { endpointsKey, type Mesh, type MeshSettings } from '../model/mesh.ts';
import type { WorkloadKey } from '../model/names.ts';
import { appliesTo, type ReadAuthorizationPolicy, toAccess } from './authorization-policy.ts';
import { buildInbound, type ServiceUse, targetPort } from './inbound-view.ts';
import type { ReadObjects } from './objects.ts';
import { effectivePeerAuthentication } from './peer-authentication.ts';
import type { createReports } from './problems.ts';
import { perList, perObject, reuse } from './remember.ts';
import type { Topology } from './topology.ts';
import type { ReadPod } from './workload.ts';

export type Inbounds = {
  readonly views: ReadonlyMap<WorkloadKey, InboundView>;
  /** One workload of each kind that differs, with the policies that act on it. */
  readonly groups: readonly InboundGroup[];
  /** Do all workloads behind a service port refuse TLS? By `endpointsKey`. */
  readonly plaintext: (servicePort: string) => boolean;
};
export type InboundGroup = {
  readonly pod: ReadPod;
  readonly view: InboundView;
  readonly policies: readonly ReadAuthorizationPolicy[];
};

type Input = {
  readonly objects: ReadObjects;
  readonly topology: Topology;
  readonly last: Mesh['inbound'] | undefined;
  readonly reports: ReturnType<typeof createReports>;
};

export function createInbounds({ rootNamespace }: MeshSettings): (input: Input) => Inbounds {
  // Replicas differ in name and address only, and an inbound view has neither.
  const shapeOf = perObject(({ namespace, labels, ports }: ReadPod) =>
    stableJson([namespace, labels, ports]),
  );
  const accessOf: (policies: readonly ReadAuthorizationPolicy[]) => Access = perList(toAccess);
  return ({ objects, topology, last, reports }) => {
    const uses = servicesByWorkload(topology);
    const make = (pod: ReadPod): InboundGroup => {
      const services = uses.get(pod.workload.key) ?? [];
      const names = services
        .filter(({ read }) => read.namespace === pod.namespace)
        .map(({ read }) => read.name);
      const subject = { namespace: pod.namespace, labels: pod.labels, services: names };
      const policies = objects.authorizationPolicies.filter((policy) =>
        appliesTo(policy, subject, rootNamespace),
      );
      const peer = effectivePeerAuthentication(objects.peerAuthentications, pod, rootNamespace);
      const view = buildInbound({ pod, services, peer, access: accessOf(policies) }, reports);
      return { pod, view: reuse(last?.get(pod.workload.key), view), policies };
    };
    const meshed = objects.pods.filter(({ workload }) => workload.meshed);
    const groups = new Map<string, InboundGroup>();
    for (const pod of meshed) if (!groups.has(shapeOf(pod))) groups.set(shapeOf(pod), make(pod));
    const views = new Map<WorkloadKey, InboundView>();
    for (const pod of meshed) {
      const view = groups.get(shapeOf(pod))?.view;
      if (view) views.set(pod.workload.key, view);
    }
    return { views, groups: [...groups.values()], plaintext: plaintextPorts(topology, views) };
  };
}

function servicesByWorkload({
  reads,
  services,
  selected,
}: Topology): ReadonlyMap<WorkloadKey, readonly ServiceUse[]> {
  const uses = new Map<WorkloadKey, ServiceUse[]>();
  for (const read of reads) {
    const service = services.get(read.key);
    for (const { workload } of selected.get(read.key) ?? []) {
      const list = uses.get(workload.key) ?? [];
      if (service) list.push({ read, service });
      uses.set(workload.key, list);
    }
  }
  return uses;
}

/** A workload whose mode is DISABLE takes plaintext only, so automatic mTLS must not be tried there. */
function plaintextPorts(
  { reads, selected }: Topology,
  views: ReadonlyMap<WorkloadKey, InboundView>,
): (servicePort: string) => boolean {
  const found = new Set<string>();
  for (const read of reads) {
    const pods = (selected.get(read.key) ?? []).filter(({ workload }) => views.has(workload.key));
    for (const port of pods.length > 0 ? read.ports : []) {
      const modes = pods.map(({ workload, ports }) =>
        modeOf(views.get(workload.key), targetPort(port, ports)),
      );
      if (modes.every((mode) => mode === 'DISABLE')) found.add(endpointsKey(read.key, port.number));
    }
  }
  return (servicePort) => found.has(servicePort);
}

function modeOf(view: InboundView | undefined, port: number | undefined): MtlsMode | undefined {
  return (view?.ports.find((one) => one.port === port) ?? view?.other)?.mtls;
}
