import type { Origin } from './object-ref.ts';
import type { Protocol } from './service.ts';

export type MtlsMode = 'STRICT' | 'PERMISSIVE' | 'DISABLE';

/** What a workload takes in. */
export type InboundView = {
  /** Declared ports, by number: those of containers, of Services, and those that a PeerAuthentication names. */
  readonly ports: readonly InboundPort[];
  /** Mode and policies of ports that nothing declares; they are carried as TCP. */
  readonly other: Pick<InboundPort, 'mtls' | 'access' | 'origins'>;
};

export type InboundPort = {
  /** The workload's own port, not the Service's. */
  readonly port: number;
  readonly protocol: Protocol;
  readonly mtls: MtlsMode;
  readonly access: Access;
  /** Host of the Service that the port serves, for metrics; of the oldest when several do. `''` when none does. */
  readonly serviceHost: string;
  readonly serviceName: string;
  readonly serviceNamespace: string;
  /** Every object that shaped this port: Services, PeerAuthentications. */
  readonly origins: readonly Origin[];
};

/** DENY first: any match denies. Then, if `allow` is not null, at least one match is needed. Order within a list has no meaning. */
export type Access = {
  readonly deny: readonly AccessPolicy[];
  readonly allow: readonly AccessPolicy[] | null;
};

export type AccessPolicy = {
  /** `<namespace>/<name>` of the AuthorizationPolicy; shows up as Envoy's RBAC policy name. */
  readonly name: string;
  readonly rules: readonly AccessRule[];
  readonly origin: Origin;
};

/** All three parts must hold; an empty part holds always; inside a part the entries of `from` and `to` are alternatives. */
export type AccessRule = {
  readonly from: readonly AccessSource[];
  readonly to: readonly AccessOperation[];
  readonly when: readonly AccessCondition[];
};

/** Every list is alternatives; every non-empty list must hold; `not…` lists must not. Patterns: exact, `x*`, `*x`, `*`. */
export type AccessSource = {
  /** `<trust domain>/ns/<namespace>/sa/<service account>`, without the scheme. */
  readonly principals: readonly string[];
  readonly notPrincipals: readonly string[];
  readonly namespaces: readonly string[];
  readonly notNamespaces: readonly string[];
  /** `<namespace>/<service account>`, literal. */
  readonly serviceAccounts: readonly string[];
  readonly notServiceAccounts: readonly string[];
  /** CIDR. */
  readonly ipBlocks: readonly string[];
  readonly notIpBlocks: readonly string[];
};

export type AccessOperation = {
  readonly hosts: readonly string[];
  readonly notHosts: readonly string[];
  readonly methods: readonly string[];
  readonly notMethods: readonly string[];
  /** Also templates with `{*}` (one segment) and `{**}` (any number). */
  readonly paths: readonly string[];
  readonly notPaths: readonly string[];
  /** Workload ports. */
  readonly ports: readonly number[];
  readonly notPorts: readonly number[];
};

export type AccessCondition = {
  readonly key: AccessKey;
  readonly values: readonly string[];
  readonly notValues: readonly string[];
};
export type AccessKey =
  | { readonly kind: 'request-header'; readonly name: string }
  | { readonly kind: 'source-ip' | 'source-namespace' | 'source-principal' | 'source-service-account' }
  | { readonly kind: 'destination-ip' | 'destination-port' | 'connection-sni' };
