import type { DestinationKey } from '../model/traffic.ts';

declare const brand: unique symbol;
/** Made here only, never parsed: who needs the parts has the key. */
export type ClusterName = string & { readonly [brand]: 'ClusterName' };

export function outboundCluster(key: DestinationKey): ClusterName {
  // A brand has no other way in than its one maker.
  return `outbound|${key.port}|${key.subset}|${key.host}` as ClusterName;
}

export function inboundCluster(port: number): ClusterName {
  // A brand has no other way in than its one maker.
  return `inbound|${port}||` as ClusterName;
}

/** Clusters every sidecar has, under the names that Istio's users know. */
export const fixedClusters = {
  // Brands have no other way in than their one maker.
  passthrough: 'PassthroughCluster' as ClusterName,
  blackHole: 'BlackHoleCluster' as ClusterName,
  inboundPassthrough: 'InboundPassthroughCluster' as ClusterName,
} as const;

/** Never defined, so that the share of an invalid backend is answered with an error and shifts nothing. */
// A brand has no other way in than its one maker.
export const undefinedCluster: ClusterName = 'InvalidBackend' as ClusterName;

/** SNI of mesh traffic, in the form that Istio's users know. */
export function sniOf(key: DestinationKey): string {
  return `outbound_.${key.port}_.${key.subset === '' ? '_' : key.subset}_.${key.host}`;
}

export function routeConfigurationName(host: string, port: number): string {
  return `${host}:${port}`;
}

export function listenerName(address: string, port: number): string {
  return `${address}_${port}`;
}

/**
 * What a mesh client offers in its TLS hello. A server knows the mesh by `mesh`; on a port whose protocol it must
 * guess, `http` says what the client has already read. The server lists neither: what is not negotiated does not
 * fix the codec.
 */
export const alpn = { mesh: 'weft', http: 'weft-http' } as const;
