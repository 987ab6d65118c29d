import { stableJson } from '../base/sorted.ts';
import type { Access, InboundView, MtlsMode } from '../model/access.ts';
import { endpointsKey, type Mesh, type MeshSettings } from '../model/mesh.ts';
import type { WorkloadKey } from '../model/names.ts';
import type { Problem } from '../model/problem.ts';
import { appliesTo, type ReadAuthorizationPolicy, toAccess } from './authorization-policy.ts';
import { buildInbound, type ServiceUse, targetPort } from './inbound-view.ts';
import { effectivePeerAuthentication, type ReadPeerAuthentication } from './peer-authentication.ts';
import { createReports } from './problems.ts';
import { keepMap, perList, perObject, reuse } from './remember.ts';
import type { ReadService } from './service.ts';
import type { Selected } from './topology.ts';
import type { ReadPod } from './workload.ts';

export type Inbounds = {
  readonly views: Mesh['inbound'];
  /** One workload of each kind that differs, with the policies that act on it. */
  readonly groups: readonly InboundGroup[];
  /** Service ports, by `endpointsKey`, behind which all workloads refuse TLS. */
  readonly plaintext: ReadonlySet<string>;
  readonly problems: readonly Problem[];
};
export type InboundGroup = {
  readonly pod: ReadPod;
  readonly view: InboundView;
  readonly policies: readonly ReadAuthorizationPolicy[];
};

export type InboundSources = {
  readonly pods: readonly ReadPod[];
  readonly reads: readonly ReadService[];
  readonly services: Mesh['services'];
  readonly selected: Selected;
  readonly peers: readonly ReadPeerAuthentication[];
  readonly policies: readonly ReadAuthorizationPolicy[];
};

export function createInbounds({
  rootNamespace,
}: MeshSettings): (input: InboundSources, last: Inbounds | undefined) => Inbounds {
  // Replicas differ in name and address only, and an inbound view has neither.
  const shapeOf = perObject(({ namespace, labels, ports }: ReadPod) =>
    stableJson([namespace, labels, ports]),
  );
  const accessOf: (policies: readonly ReadAuthorizationPolicy[]) => Access = perList(toAccess);
  return (input, last) => {
    const reports = createReports();
    const uses = servicesByWorkload(input);
    const make = (pod: ReadPod): InboundGroup => {
      const services = uses.get(pod.workload.key) ?? [];
      const { namespace, labels } = pod;
      const subject = { namespace, labels, services: services.map(({ read }) => read.name) };
      const policies = input.policies.filter((policy) => appliesTo(policy, subject, rootNamespace));
      const peer = effectivePeerAuthentication(input.peers, pod, rootNamespace);
      const view = buildInbound({ pod, services, peer, access: accessOf(policies) }, reports);
      return { pod, view: reuse(last?.views.get(pod.workload.key), view), policies };
    };
    const groups = new Map<string, InboundGroup>();
    const views = new Map<WorkloadKey, InboundView>();
    for (const pod of input.pods) {
      if (!pod.workload.meshed) continue;
      const group = groups.get(shapeOf(pod)) ?? make(pod);
      groups.set(shapeOf(pod), group);
      views.set(pod.workload.key, group.view);
    }
    return {
      views: keepMap(last?.views, views),
      groups: [...groups.values()],
      plaintext: keepSet(last?.plaintext, plaintextPorts(input, views)),
      problems: reports.all(),
    };
  };
}

function servicesByWorkload({
  reads,
  services,
  selected,
}: InboundSources): ReadonlyMap<WorkloadKey, readonly ServiceUse[]> {
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
function plaintextPorts({ reads, selected }: InboundSources, views: Mesh['inbound']): ReadonlySet<string> {
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
  return found;
}

function keepSet<T>(last: ReadonlySet<T> | undefined, next: ReadonlySet<T>): ReadonlySet<T> {
  return last?.symmetricDifference(next).size === 0 ? last : next;
}

function modeOf(view: InboundView | undefined, port: number | undefined): MtlsMode | undefined {
  return (view?.ports.find((one) => one.port === port) ?? view?.other)?.mtls;
}
