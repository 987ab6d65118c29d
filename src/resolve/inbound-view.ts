import type { Access, InboundPort, InboundView } from '../model/access.ts';
import type { Origin } from '../model/object-ref.ts';
import type { Protocol, Service } from '../model/service.ts';
import type { EffectivePeerAuthentication } from './peer-authentication.ts';
import type { createReports } from './problems.ts';
import { namedProtocol } from './protocol.ts';
import type { ReadService, ReadServicePort } from './service.ts';
import type { PodPort, ReadPod } from './workload.ts';

/** A Service that selects a workload: as written, and as the mesh has it. */
export type ServiceUse = { readonly read: ReadService; readonly service: Service };

export type InboundInput = {
  readonly pod: ReadPod;
  /** Oldest first. */
  readonly services: readonly ServiceUse[];
  readonly peer: EffectivePeerAuthentication;
  readonly access: Access;
};

export function buildInbound(input: InboundInput, reports: ReturnType<typeof createReports>): InboundView {
  const { pod, services, peer, access } = input;
  const ports = new Map<number, InboundPort>();
  for (const { read, service } of services) {
    for (const port of read.ports) {
      const number = targetPort(port, pod.ports);
      if (number === undefined) continue;
      const older = ports.get(number);
      const protocol = service.ports.find((one) => one.number === port.number)?.protocol ?? port.protocol;
      const origin = { ref: read.ref, field: port.field };
      if (older && older.protocol !== protocol) reportConflict({ older, number, protocol, origin }, reports);
      const fresh = inboundPort(number, protocol, input);
      const named = {
        ...fresh,
        serviceHost: read.host,
        serviceName: read.name,
        serviceNamespace: read.namespace,
      };
      ports.set(number, withOrigin(older ?? named, origin));
    }
  }
  // A mode for a port that nothing else declares still is one: as part of `other` the port would lose it.
  const named = [...peer.ports.keys()].map((number) => ({ number, name: '' }));
  for (const { number, name } of [...pod.ports, ...named]) {
    if (!ports.has(number)) ports.set(number, inboundPort(number, namedProtocol(name) ?? 'tcp', input));
  }
  return {
    ports: [...ports.values()]
      .map((port) => peer.origins.reduce(withOrigin, port))
      .sort((a, b) => a.port - b.port),
    other: { mtls: peer.mode, access, origins: peer.origins },
  };
}

function inboundPort(port: number, protocol: Protocol, { peer, access }: InboundInput): InboundPort {
  return {
    port,
    protocol,
    mtls: peer.ports.get(port) ?? peer.mode,
    access,
    serviceHost: '',
    serviceName: '',
    serviceNamespace: '',
    origins: [],
  };
}

function withOrigin(port: InboundPort, origin: Origin): InboundPort {
  return { ...port, origins: [...port.origins, origin] };
}

/** Where a Service port ends in a workload; a name that the workload does not have ends nowhere. */
export function targetPort(
  { targetPort: target }: ReadServicePort,
  ports: readonly PodPort[],
): number | undefined {
  return typeof target === 'number' ? target : ports.find(({ name }) => name === target)?.number;
}

type Conflict = {
  readonly older: InboundPort;
  readonly number: number;
  readonly protocol: Protocol;
  readonly origin: Origin;
};

function reportConflict(
  { older, number, protocol, origin }: Conflict,
  reports: ReturnType<typeof createReports>,
): void {
  reports.on(origin.ref).warning('WEFT-1207', {
    field: origin.field,
    message: `port ${number} of the workloads is ${protocol} here, but ${older.protocol} by the older Service ${older.serviceNamespace}/${older.serviceName}, which decides`,
    fix: 'give both ports the same name prefix or appProtocol',
  });
}
