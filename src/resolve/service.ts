import { uniqueSorted } from '../base/sorted.ts';
import type { MeshSettings } from '../model/mesh.ts';
import { type ServiceKey, type SpiffeId, serviceKey } from '../model/names.ts';
import { type ObjectRef, refOf } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import type { Service, ServicePort } from '../model/service.ts';
import type { ServiceObject, ServicePortSpec } from '../sources/specs.ts';
import type { Labels } from '../sources/types.ts';
import { readVisibility, serviceHost, type Visibility } from './host.ts';
import { wellKnown } from './labels.ts';
import { createReport, type Report, unsupported } from './problems.ts';
import { selectProtocol } from './protocol.ts';

/** A Service by itself, before anything is known of its workloads and routes. */
export type ReadService = {
  readonly key: ServiceKey;
  readonly namespace: string;
  readonly name: string;
  readonly host: string;
  readonly addresses: readonly string[];
  readonly ports: readonly ReadServicePort[];
  /** Absent when the Service selects nothing and somebody else writes its endpoints. */
  readonly selector?: Labels;
  readonly visibility: Visibility;
  /** An alias of another name: no service of the mesh. */
  readonly external: boolean;
  readonly ref: ObjectRef;
  readonly problems: readonly Problem[];
};
export type ReadServicePort = ServicePort & { readonly targetPort: number | string; readonly field: string };

export function readService(object: ServiceObject, { clusterDomain }: MeshSettings): ReadService {
  const { metadata, spec } = object;
  const { namespace, name } = metadata;
  const ref = refOf(object);
  const report = createReport(ref);
  checkSupport(object, report);
  const selector = Object.keys(spec.selector ?? {}).length > 0 ? spec.selector : undefined;
  const addresses = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return {
    key: serviceKey(namespace, name),
    namespace,
    name,
    host: serviceHost(namespace, name, clusterDomain),
    addresses: addresses.filter((address) => address !== 'None' && address !== ''),
    ports: (spec.ports ?? []).flatMap(readPort),
    ...(selector ? { selector } : {}),
    visibility: readVisibility(annotatedExportTo(metadata.annotations), namespace),
    external: spec.type === 'ExternalName',
    ref,
    problems: report.problems,
  };
}

function annotatedExportTo(annotations: Labels): readonly string[] | undefined {
  return annotations[wellKnown.exportTo]?.split(',').map((entry) => entry.trim());
}

/** Only TCP is captured, so only TCP ports are the mesh's. */
function readPort(port: ServicePortSpec, index: number): ReadServicePort[] {
  if (port.protocol !== 'TCP') return [];
  const { name = '', port: number, targetPort, appProtocol } = port;
  const protocol = selectProtocol({ name, number, ...(appProtocol === undefined ? {} : { appProtocol }) });
  return [{ number, name, protocol, targetPort: targetPort ?? number, field: `spec.ports[${index}]` }];
}

function checkSupport({ spec, metadata }: ServiceObject, report: Report): void {
  if (spec.type === 'ExternalName') {
    report.warning('WEFT-1101', {
      field: 'spec.type',
      message: `Service ${metadata.namespace}/${metadata.name} is of type ExternalName, which is not supported yet; the mesh does not know it`,
      fix: `call \`${spec.externalName ?? 'the external name'}\` by its own name`,
    });
  }
  if (spec.internalTrafficPolicy === 'Local') {
    const why = 'traffic goes to endpoints on every node';
    report.warning('WEFT-1101', unsupported('spec.internalTrafficPolicy', { why }));
  }
  if (spec.sessionAffinity === 'ClientIP') {
    report.warning('WEFT-1101', {
      ...unsupported('spec.sessionAffinity', {
        why: 'clients with a sidecar choose an endpoint for each request',
      }),
      fix: 'for stickiness write a DestinationRule with loadBalancer.consistentHash.useSourceIp: true',
    });
  }
}

/** The Service as the mesh has it. `httpPorts`: ports that say nothing themselves, but carry the owner's HTTP routes. */
export function toService(
  read: ReadService,
  identities: Iterable<SpiffeId>,
  httpPorts: ReadonlySet<number> | undefined,
): Service {
  const { key, namespace, name, host, addresses, ports, ref } = read;
  return {
    key,
    namespace,
    name,
    host,
    addresses,
    ports: ports.map((port) => ({
      number: port.number,
      name: port.name,
      protocol: port.protocol === 'auto' && httpPorts?.has(port.number) ? 'http' : port.protocol,
    })),
    // Sorting keeps them what they are: SPIFFE IDs.
    identities: uniqueSorted(identities) as SpiffeId[],
    origin: ref,
  };
}
