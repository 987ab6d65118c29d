import { compareStrings } from '../base/sorted.ts';
import { type ObjectRef, refOf } from '../model/object-ref.ts';
import type { Endpoint, Service, ServiceEndpoints, ServicePort, Workload } from '../model/service.ts';
import type { EndpointSliceObject, SliceEndpoint } from '../sources/specs.ts';
import { wellKnown } from './labels.ts';

/** One slice, flat: an address and what may be sent to it. */
export type ReadSlice = {
  /** `<namespace>/<name>` of its Service; `''` when no label says. */
  readonly service: string;
  readonly addresses: readonly SliceAddress[];
  /** Port numbers by port name. */
  readonly ports: ReadonlyMap<string, number>;
  readonly ref: ObjectRef;
};
type SliceAddress = {
  readonly address: string;
  readonly health: 'healthy' | 'draining';
  /** `<namespace>/<name>` of the Pod that the slice itself names, or `''`. */
  readonly pod: string;
};

export function readSlice(object: EndpointSliceObject): ReadSlice {
  const { namespace, labels } = object.metadata;
  const name = labels[wellKnown.serviceName];
  const { addressType, endpoints = [], ports = [] } = object.rest;
  const known = ports.flatMap(({ name: port = '', port: number, protocol }): [string, number][] =>
    protocol !== 'UDP' && protocol !== 'SCTP' && number !== undefined ? [[port, number]] : [],
  );
  return {
    service: name === undefined ? '' : `${namespace}/${name}`,
    addresses:
      addressType === 'FQDN' ? [] : endpoints.flatMap((endpoint) => readEndpoint(endpoint, namespace)),
    ports: new Map(known),
    ref: refOf(object),
  };
}

/** Ready takes traffic; ending but still serving finishes what it has; the rest is left out. */
function readEndpoint(
  { addresses, conditions = {}, targetRef }: SliceEndpoint,
  namespace: string,
): SliceAddress[] {
  const { ready = true, serving = ready, terminating = false } = conditions;
  const health = ready ? 'healthy' : terminating && serving ? 'draining' : undefined;
  const pod = targetRef?.kind === 'Pod' ? `${targetRef.namespace ?? namespace}/${targetRef.name ?? ''}` : '';
  return health ? addresses.map((address) => ({ address, health, pod })) : [];
}

/** Finds the workload behind an address. */
export type WorkloadFinder = (address: SliceAddress) => Workload | undefined;

export type EndpointSources = {
  readonly service: Service;
  readonly port: ServicePort;
  readonly slices: readonly ReadSlice[];
  readonly find: WorkloadFinder;
};

export function serviceEndpoints({ service, port, slices, find }: EndpointSources): ServiceEndpoints {
  const byAddress = new Map<string, Endpoint>();
  for (const slice of slices) {
    const number = slice.ports.get(port.name);
    if (number === undefined) continue;
    for (const entry of slice.addresses) {
      const id = `${entry.address} ${number}`;
      // Slices may repeat an address while they are rewritten; the healthy word counts.
      if (byAddress.get(id)?.health === 'healthy') continue;
      const workload = find(entry);
      byAddress.set(id, {
        address: entry.address,
        port: number,
        ...(workload ? { workload } : {}),
        health: entry.health,
      });
    }
  }
  return {
    service: service.key,
    port: port.number,
    endpoints: [...byAddress.values()].sort(
      (a, b) => compareStrings(a.address, b.address) || a.port - b.port,
    ),
    origins: slices.map(({ ref }) => ref).sort((a, b) => compareStrings(a.name, b.name)),
  };
}
