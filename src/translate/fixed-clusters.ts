import { create } from '@bufbuild/protobuf';
import {
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterSchema,
} from '../../gen/envoy/config/cluster/v3/cluster_pb.ts';
import type { BindConfigSchema } from '../../gen/envoy/config/core/v3/address_pb.ts';
import { ownTrafficSource } from '../model/names.ts';
import type { EnvoyResource } from '../snapshot/resource.ts';
import { circuitBreakers } from './cluster-policy.ts';
import { duration } from './envoy/duration.ts';
import type { Init } from './envoy/init.ts';
import { type ClusterName, fixedClusters } from './names.ts';

type ClusterPart = Init<typeof ClusterSchema>;

export const ownTraffic: Init<typeof BindConfigSchema> = {
  sourceAddress: { address: ownTrafficSource, portSpecifier: { case: 'portValue', value: 0 } },
};
export const ownTrafficIpv6: Init<typeof BindConfigSchema> = {
  sourceAddress: { address: '::6', portSpecifier: { case: 'portValue', value: 0 } },
};

/** Clusters that every sidecar has, whatever the mesh holds. */
export const fixedClusterResources: readonly EnvoyResource[] = [
  cluster(fixedClusters.blackHole, {
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
  }),
  cluster(fixedClusters.inboundPassthrough, { ...originalDestination(), upstreamBindConfig: ownTraffic }),
  cluster(fixedClusters.passthrough, originalDestination()),
];

function originalDestination(): ClusterPart {
  return {
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    circuitBreakers: circuitBreakers(),
  };
}

function cluster(name: ClusterName, rest: ClusterPart): EnvoyResource {
  return {
    type: 'cluster',
    name,
    // Elsewhere in the world is further away than the mesh.
    message: create(ClusterSchema, { name, connectTimeout: duration(10_000), ...rest }),
    origin: [],
  };
}
