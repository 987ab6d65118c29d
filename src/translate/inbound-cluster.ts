import { create } from '@bufbuild/protobuf';
import {
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterSchema,
} from '../../gen/envoy/config/cluster/v3/cluster_pb.ts';
import type { OutlierDetectionSchema } from '../../gen/envoy/config/cluster/v3/outlier_detection_pb.ts';
import type { LbEndpointSchema } from '../../gen/envoy/config/endpoint/v3/endpoint_components_pb.ts';
import type { InboundPort } from '../model/access.ts';
import type { EnvoyResource } from '../snapshot/resource.ts';
import { circuitBreakers, defaultOutlierDetection } from './cluster-policy.ts';
import { isIpv6, socketAddress } from './envoy/address.ts';
import { duration } from './envoy/duration.ts';
import type { Init } from './envoy/init.ts';
import { weftMetadata } from './envoy/metadata.ts';
import { ownTraffic, ownTrafficIpv6 } from './fixed-clusters.ts';
import { bufferLimit, httpProtocolOptions } from './http-options.ts';
import { inboundCluster } from './names.ts';
import { showOrigins, sortedOrigins } from './origin.ts';

/** Servers that keep connections for only five seconds are common (Node's default): let go before they do. */
const idleTimeout = 4000;

/**
 * An app may listen on the pod's address, on loopback, or on both, and the control plane cannot know which: both are
 * endpoints, a refused connection goes to the other, and the one that always refuses is set aside, for a moment only,
 * because after a restart of the app the first to refuse may be the right one.
 */
const setAside: Init<typeof OutlierDetectionSchema> = {
  ...defaultOutlierDetection,
  interval: duration(500),
  baseEjectionTime: duration(2000),
  maxEjectionTime: duration(2000),
  maxEjectionPercent: 50,
};

/** The app of one workload behind a declared port. Undeclared ports never reach loopback. */
export function inboundClusterResource(port: InboundPort, podAddress: string): EnvoyResource {
  const name = inboundCluster(port.port);
  const addresses = [podAddress, isIpv6(podAddress) ? '::1' : '127.0.0.1'];
  const refs = port.origins.map((origin) => origin.ref);
  const message = create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: duration(1000),
    perConnectionBufferLimitBytes: bufferLimit,
    // Strict turns, so that the second try is at the other address.
    lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
    loadAssignment: {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: addresses.map(
            (address): Init<typeof LbEndpointSchema> => ({
              hostIdentifier: { case: 'endpoint', value: { address: socketAddress(address, port.port) } },
            }),
          ),
        },
      ],
    },
    commonLbConfig: { updateMergeWindow: duration(0), healthyPanicThreshold: { value: 0 } },
    circuitBreakers: circuitBreakers(),
    outlierDetection: setAside,
    typedExtensionProtocolOptions: httpProtocolOptions('asCaller', { idleTimeout }),
    upstreamBindConfig: isIpv6(podAddress) ? ownTrafficIpv6 : ownTraffic,
    metadata: weftMetadata({
      service: port.serviceHost,
      service_name: port.serviceName,
      service_namespace: port.serviceNamespace,
      origin: showOrigins(refs),
    }),
  });
  return { type: 'cluster', name, message, origin: sortedOrigins(refs) };
}
