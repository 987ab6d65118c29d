import { create } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import {
  Cluster_DiscoveryType,
  ClusterSchema,
  type UpstreamConnectionOptionsSchema,
} from '../../gen/envoy/config/cluster/v3/cluster_pb.ts';
import { RawBufferSchema } from '../../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts';
import { TcpProtocolOptionsSchema } from '../../gen/envoy/extensions/upstreams/tcp/v3/tcp_protocol_options_pb.ts';
import type { Protocol, Service } from '../model/service.ts';
import type { ConnectionPool, Destination } from '../model/traffic.ts';
import type { EnvoyResource } from '../snapshot/resource.ts';
import { circuitBreakers, loadBalancing, outlierDetection } from './cluster-policy.ts';
import { any, transportSocket } from './envoy/any.ts';
import { overAds } from './envoy/config-source.ts';
import { duration } from './envoy/duration.ts';
import type { Init } from './envoy/init.ts';
import { weftMetadata } from './envoy/metadata.ts';
import { bufferLimit, httpProtocolOptions } from './http-options.ts';
import { outboundCluster } from './names.ts';
import { showOrigins, sortedOrigins } from './origin.ts';
import { clientTls } from './tls.ts';

type ClusterPart = Init<typeof ClusterSchema>;

/** A retry on another host is of use only when the first host gives up early. */
const defaultConnectTimeout = 1000;
/** Below the hour after which the server's proxy closes an idle connection, and below most servers' own limit. */
const defaultIdleTimeout = 55_000;

/** One destination (service port and subset) as a cluster. */
export function outboundClusterResource(
  service: Service,
  protocol: Protocol,
  destination: Destination,
): EnvoyResource {
  const { key, policy } = destination;
  const name = outboundCluster(key);
  const message = create(ClusterSchema, {
    name,
    ...discovery(destination),
    connectTimeout: duration(policy.connectionPool?.connectTimeout ?? defaultConnectTimeout),
    perConnectionBufferLimitBytes: bufferLimit,
    ...loadBalancing(policy.loadBalancer),
    commonLbConfig: {
      // One list of endpoints at a time: a merged one can undo an ejection.
      updateMergeWindow: duration(0),
      // Never send to what is known to be not ready.
      healthyPanicThreshold: { value: policy.outlierDetection?.minHealthPercent ?? 0 },
    },
    circuitBreakers: circuitBreakers(policy.connectionPool),
    outlierDetection: outlierDetection(policy.outlierDetection),
    typedExtensionProtocolOptions: protocolOptions(protocol, policy.connectionPool),
    ...connectionOptions(policy.connectionPool),
    ...transportSecurity(service, destination),
    metadata: weftMetadata({
      service: service.host,
      service_name: service.name,
      service_namespace: service.namespace,
      origin: showOrigins(destination.origins),
    }),
  });
  return {
    type: 'cluster',
    name,
    message,
    origin: sortedOrigins([service.origin, ...destination.origins]),
  };
}

/** The caller has chosen the address itself when the policy says "passthrough". */
export function hasEndpoints(destination: Destination): boolean {
  return destination.policy.loadBalancer?.kind !== 'passthrough';
}

function discovery(destination: Destination): ClusterPart {
  return hasEndpoints(destination)
    ? {
        clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
        edsClusterConfig: { edsConfig: overAds() },
      }
    : { clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST } };
}

function protocolOptions(protocol: Protocol, pool: ConnectionPool = {}): Record<string, Any> {
  switch (protocol) {
    case 'tcp':
    case 'tls':
      return pool.idleTimeout === undefined ? {} : tcpIdleTimeout(pool.idleTimeout);
    case 'http2':
    case 'grpc':
      return httpProtocolOptions('http2', { ...pool, idleTimeout: pool.idleTimeout ?? defaultIdleTimeout });
    case 'http':
    case 'auto':
      return httpProtocolOptions(pool.upgradeToHttp2 === true ? 'http2' : 'asCaller', {
        ...pool,
        idleTimeout: pool.idleTimeout ?? defaultIdleTimeout,
      });
  }
}

function tcpIdleTimeout(idleTimeout: number): Record<string, Any> {
  return {
    'envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions': any(TcpProtocolOptionsSchema, {
      idleTimeout: duration(idleTimeout),
    }),
  };
}

function connectionOptions(pool: ConnectionPool = {}): ClusterPart {
  if (pool.tcpKeepalive === undefined) return {};
  const { probes, time, interval } = pool.tcpKeepalive;
  const options: Init<typeof UpstreamConnectionOptionsSchema> = {
    tcpKeepalive: {
      ...(probes !== undefined && { keepaliveProbes: probes }),
      ...(time !== undefined && { keepaliveTime: Math.ceil(time / 1000) }),
      ...(interval !== undefined && { keepaliveInterval: Math.ceil(interval / 1000) }),
    },
  };
  return { upstreamConnectionOptions: options };
}

/**
 * mTLS is decided for each endpoint by its own metadata, so that a service may have meshed and other endpoints, and an
 * endpoint may join the mesh without its cluster changing.
 */
function transportSecurity(service: Service, destination: Destination): ClusterPart {
  switch (destination.policy.tls ?? 'auto') {
    case 'disable':
      return {};
    case 'mutual':
      return { transportSocket: clientTls(destination.key, service.identities) };
    case 'auto':
      return {
        transportSocketMatches: [
          {
            name: 'mtls',
            match: { tlsMode: 'istio' },
            transportSocket: clientTls(destination.key, service.identities),
          },
          {
            name: 'plaintext',
            match: {},
            transportSocket: transportSocket('envoy.transport_sockets.raw_buffer', RawBufferSchema, {}),
          },
        ],
      };
  }
}
