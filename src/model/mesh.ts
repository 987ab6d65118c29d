import type { InboundView } from './access.ts';
import type { ServiceKey, WorkloadKey } from './names.ts';
import type { Service, ServiceEndpoints, Workload } from './service.ts';
import type { ClientView } from './traffic.ts';

/** Mesh-wide settings, as data: nothing right of `resolve` reads a flag. */
export type MeshSettings = {
  readonly trustDomain: string;
  /** `cluster.local` unless the cluster was made otherwise. */
  readonly clusterDomain: string;
  /** Objects there act mesh-wide where their kind allows it. */
  readonly rootNamespace: string;
  readonly accessLog: boolean;
  /** What matches no service: sent to where it was addressed, or refused. */
  readonly outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
};

export const defaultSettings: MeshSettings = {
  trustDomain: 'cluster.local',
  clusterDomain: 'cluster.local',
  rootNamespace: 'weft-system',
  accessLog: true,
  outboundPolicy: 'ALLOW_ANY',
};

/**
 * The whole resolved model at one moment. Immutable, and unchanged parts keep their reference from one mesh to the next:
 * what was made from a part may be remembered by that part.
 */
export type Mesh = {
  readonly settings: MeshSettings;
  readonly services: ReadonlyMap<ServiceKey, Service>;
  readonly workloads: ReadonlyMap<WorkloadKey, Workload>;
  /** By `endpointsKey(service, port)`. */
  readonly endpoints: ReadonlyMap<string, ServiceEndpoints>;
  /** One for each namespace that has a workload. */
  readonly clients: ReadonlyMap<string, ClientView>;
  /** One for each meshed workload; replicas share it by reference. */
  readonly inbound: ReadonlyMap<WorkloadKey, InboundView>;
};

export function endpointsKey(service: ServiceKey, port: number): string {
  return `${service}:${port}`;
}
