declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** `<namespace>/<name>` of a Service. A map key; nothing parses it. */
export type ServiceKey = Branded<string, 'ServiceKey'>;
/** `<namespace>/<pod name>` of a workload; also the Envoy node id of its sidecar. */
export type WorkloadKey = Branded<string, 'WorkloadKey'>;
/** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` */
export type SpiffeId = Branded<string, 'SpiffeId'>;

export function serviceKey(namespace: string, name: string): ServiceKey {
  // A brand has no other way in than its one maker.
  return `${namespace}/${name}` as ServiceKey;
}

export function workloadKey(namespace: string, podName: string): WorkloadKey {
  // A brand has no other way in than its one maker.
  return `${namespace}/${podName}` as WorkloadKey;
}

export function spiffeId(trustDomain: string, namespace: string, serviceAccount: string): SpiffeId {
  // A brand has no other way in than its one maker.
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}` as SpiffeId;
}

/** SDS names of a workload's own certificate and of the trust bundle, the ones Istio's users know from `config_dump`. */
export const secretNames = { workload: 'default', trustBundle: 'ROOTCA' } as const;

/** Ports of a meshed pod that belong to the mesh: where capture sends traffic, and where readiness is asked. */
export const meshPorts = { outbound: 15001, inbound: 15006, ready: 15021 } as const;

/**
 * Traffic of the sidecar to its own pod leaves from this address, which no one else has: capture knows it by that, and the app
 * sees a caller on loopback.
 */
export const ownTrafficSource = '127.0.0.6';

/** The one call of the agent to the control plane beside discovery: JSON `{csr, token}` in, a certificate out. */
export const signMethod = '/weft.agent.v1.NodeAgent/SignCertificate';

/** The user that Envoy runs as; its own traffic is what capture leaves alone. */
export const proxyUid = 1337;
