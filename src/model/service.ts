import type { ServiceKey, SpiffeId, WorkloadKey } from './names.ts';
import type { ObjectRef } from './object-ref.ts';

/** What travels on a port. `tcp` also stands for protocols we carry but do not read; `auto` is sniffed (HTTP or TCP). */
export type Protocol = 'http' | 'http2' | 'grpc' | 'tcp' | 'tls' | 'auto';

export type ServicePort = {
  readonly number: number;
  /** `''` when the Service gives none. */
  readonly name: string;
  readonly protocol: Protocol;
};

/** A named set of workloads with ports. */
export type Service = {
  readonly key: ServiceKey;
  readonly namespace: string;
  readonly name: string;
  /** `<name>.<namespace>.svc.<cluster domain>` */
  readonly host: string;
  /** ClusterIPs; empty for a headless Service. */
  readonly addresses: readonly string[];
  readonly ports: readonly ServicePort[];
  /** Identities its workloads may have, sorted: what a client accepts from the server's certificate. */
  readonly identities: readonly SpiffeId[];
  readonly origin: ObjectRef;
};

/** One address that answers for a service port. */
export type Endpoint = {
  readonly address: string;
  readonly port: number;
  /** Absent when no known workload stands behind the address. */
  readonly workload?: Workload;
  /** Draining endpoints take no new requests. */
  readonly health: 'healthy' | 'draining' | 'unhealthy';
};

/** The endpoints of one service port, sorted by address. A river of its own: it changes without the Service changing. */
export type ServiceEndpoints = {
  readonly service: ServiceKey;
  readonly port: number;
  readonly endpoints: readonly Endpoint[];
  readonly origins: readonly ObjectRef[];
};

/** One running unit with addresses and an identity: a pod. */
export type Workload = {
  readonly key: WorkloadKey;
  readonly namespace: string;
  readonly podName: string;
  /** Name of what owns the pod (the Deployment), as metrics call a workload. */
  readonly name: string;
  readonly serviceAccount: string;
  readonly identity: SpiffeId;
  /** By `shownAs`. */
  readonly app: string;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: readonly string[];
  /** Does a sidecar stand beside it? Only then may mTLS be spoken to it. */
  readonly meshed: boolean;
  readonly origin: ObjectRef;
};

/**
 * What a workload is called in metrics, and in the certificates that attest it: label `app`, else `app.kubernetes.io/name`, else
 * the workload's name; label `version`, else `latest`.
 */
export function shownAs(labels: Workload['labels'], workload: string): Pick<Workload, 'app' | 'version'> {
  return {
    app: labels['app'] ?? labels['app.kubernetes.io/name'] ?? workload,
    version: labels['version'] ?? 'latest',
  };
}
