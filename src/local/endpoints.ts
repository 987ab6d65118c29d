import { sortedBy, stableJson } from '../base/sorted.ts';
import type { ServicePortSpec, ServiceSpec } from '../sources/specs.ts';
import { type KubeObject, wellKnown } from '../sources/types.ts';
import { type Labels, type PodPort, shortHash } from './pod-set.ts';

/** What endpoints need to know of a pod. */
export type EndpointPod = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly ip: string;
  readonly labels: Labels;
  readonly ports: readonly PodPort[];
  readonly ready: boolean;
  readonly terminating: boolean;
  /** Labels of the pods that are to take its place. */
  readonly successor?: Labels;
};

export type EndpointSlice = {
  readonly namespace: string;
  readonly name: string;
  readonly service: string;
  readonly endpoints: readonly SliceAddress[];
  readonly ports: readonly {
    readonly name: string;
    readonly port: number;
    readonly protocol: string;
    readonly appProtocol?: string;
  }[];
};
export type SliceAddress = {
  readonly ip: string;
  readonly pod: { readonly name: string; readonly uid: string };
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
};

type Ports = EndpointSlice['ports'];

/**
 * The endpoint slices of all Services with a selector, as a cluster's controller would write them. In one thing it is kinder:
 * when a Service and its pods get new labels in one save, the old pods, as `before` has them, serve until they are replaced.
 */
export function endpointSlices(
  services: Iterable<KubeObject>,
  pods: readonly EndpointPod[],
  before: readonly EndpointSlice[] = [],
): EndpointSlice[] {
  const slices: EndpointSlice[] = [];
  const served = new Set(
    before.flatMap(({ namespace, service, endpoints }) =>
      endpoints.map(({ pod }) => `${namespace}/${service} ${pod.uid}`),
    ),
  );
  for (const service of services) {
    // The source lets only objects through that their kind's schema accepts.
    const spec = service.spec as ServiceSpec;
    if (spec.selector === undefined || Object.keys(spec.selector).length === 0) continue;
    const { namespace, name } = service.metadata;
    const isMember = ({ namespace: own, labels, successor, uid }: EndpointPod): boolean =>
      own === namespace &&
      (selects(spec.selector ?? {}, labels) ||
        (successor !== undefined &&
          selects(spec.selector ?? {}, successor) &&
          served.has(`${namespace}/${name} ${uid}`)));
    slices.push(...slicesOf(service, spec, pods.filter(isMember)));
  }
  return sortedBy(slices, (slice) => `${slice.namespace}/${slice.name}`);
}

/** A named target port may be another number in another pod: one slice for each set of numbers. */
function slicesOf(service: KubeObject, spec: ServiceSpec, pods: readonly EndpointPod[]): EndpointSlice[] {
  const { namespace, name } = service.metadata;
  const groups = new Map<string, { ports: Ports; endpoints: SliceAddress[] }>();
  for (const pod of pods) {
    const ports = targetPorts(spec.ports ?? [], pod.ports);
    const key = stableJson(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    groups.set(key, group);
    group.endpoints.push(addressOf(pod, spec.publishNotReadyAddresses === true));
  }
  if (groups.size === 0) groups.set('', { ports: [], endpoints: [] });
  return [...groups].map(([key, { ports, endpoints }]) => ({
    namespace,
    name: `${name}-${shortHash(key).slice(0, 5)}`,
    service: name,
    endpoints: sortedBy(endpoints, ({ ip }) => ip),
    ports,
  }));
}

function addressOf(pod: EndpointPod, publishNotReady: boolean): SliceAddress {
  return {
    ip: pod.ip,
    pod: { name: pod.name, uid: pod.uid },
    ready: publishNotReady || (pod.ready && !pod.terminating),
    serving: pod.ready,
    terminating: pod.terminating,
  };
}

function targetPorts(ports: readonly ServicePortSpec[], podPorts: readonly PodPort[]): Ports {
  return ports.flatMap((port) => {
    const target =
      typeof port.targetPort === 'number'
        ? port.targetPort
        : podPorts.find(({ name }) => name === port.targetPort)?.port;
    if (target === undefined) return [];
    const { appProtocol } = port;
    return [
      {
        name: port.name ?? '',
        port: target,
        protocol: port.protocol,
        ...(appProtocol === undefined ? {} : { appProtocol }),
      },
    ];
  });
}

function selects(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

/** As a Kubernetes object. */
export function sliceObject(slice: EndpointSlice): object {
  const { namespace, name, service } = slice;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace, name, labels: { [wellKnown.serviceName]: service } },
    addressType: 'IPv4',
    endpoints: slice.endpoints.map(({ ip, pod, ready, serving, terminating }) => ({
      addresses: [ip],
      conditions: { ready, serving, terminating },
      targetRef: { kind: 'Pod', namespace, name: pod.name, uid: pod.uid },
    })),
    ports: slice.ports,
  };
}
