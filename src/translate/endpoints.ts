import { create } from '@bufbuild/protobuf';
import type { MetadataSchema } from '../../gen/envoy/config/core/v3/base_pb.ts';
import { HealthStatus } from '../../gen/envoy/config/core/v3/health_check_pb.ts';
import type { LbEndpointSchema } from '../../gen/envoy/config/endpoint/v3/endpoint_components_pb.ts';
import { ClusterLoadAssignmentSchema } from '../../gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import { sortedBy } from '../base/sorted.ts';
import type { Endpoint, ServiceEndpoints } from '../model/service.ts';
import type { Destination } from '../model/traffic.ts';
import type { EnvoyResource } from '../snapshot/resource.ts';
import { socketAddress } from './envoy/address.ts';
import type { Init } from './envoy/init.ts';
import { outboundCluster } from './names.ts';
import { sortedOrigins } from './origin.ts';

/** The endpoints of one cluster. A destination nothing is known of has none, which is an answer too: 503 at once. */
export function endpointsResource(
  destination: Destination,
  known: ServiceEndpoints | undefined,
): EnvoyResource {
  const name = outboundCluster(destination.key);
  const chosen = (known?.endpoints ?? []).filter((endpoint) => hasLabels(endpoint, destination.labels));
  const lbEndpoints = sortedBy(chosen, ({ address, port }) => `${address} ${port}`).map(lbEndpoint);
  return {
    type: 'endpoint',
    name,
    message: create(ClusterLoadAssignmentSchema, {
      clusterName: name,
      endpoints: lbEndpoints.length === 0 ? [] : [{ lbEndpoints }],
    }),
    origin: sortedOrigins([...destination.origins, ...(known?.origins ?? [])]),
  };
}

function hasLabels(endpoint: Endpoint, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([name, value]) => endpoint.workload?.labels[name] === value);
}

const health = {
  healthy: HealthStatus.HEALTHY,
  draining: HealthStatus.DRAINING,
  unhealthy: HealthStatus.UNHEALTHY,
} as const;

function lbEndpoint(endpoint: Endpoint): Init<typeof LbEndpointSchema> {
  return {
    hostIdentifier: {
      case: 'endpoint',
      value: { address: socketAddress(endpoint.address, endpoint.port) },
    },
    healthStatus: health[endpoint.health],
    metadata: endpointMetadata(endpoint),
  };
}

/** What the caller's metrics and logs say of the server. The same four keys always, so that metrics have no holes. */
function endpointMetadata({ workload }: Endpoint): Init<typeof MetadataSchema> {
  return {
    filterMetadata: {
      weft: {
        workload: workload?.name ?? 'unknown',
        namespace: workload?.namespace ?? 'unknown',
        app: workload?.app ?? 'unknown',
        version: workload?.version ?? 'unknown',
      },
      ...(workload?.meshed === true && { 'envoy.transport_socket_match': { tlsMode: 'istio' } }),
    },
  };
}
