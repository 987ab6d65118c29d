import type { AccessLog } from '../../gen/envoy/config/accesslog/v3/accesslog_pb.ts';
import type { Filter } from '../../gen/envoy/config/listener/v3/listener_components_pb.ts';
import {
  TcpProxySchema,
  UpstreamConnectMode,
} from '../../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import type { Backend } from '../model/traffic.ts';
import { networkFilter } from './envoy/any.ts';
import type { Init } from './envoy/init.ts';
import { fixedClusters, outboundCluster, undefinedCluster } from './names.ts';

type Target = NonNullable<Init<typeof TcpProxySchema>['clusterSpecifier']>;

export type TcpProxyOptions = {
  readonly direction: 'inbound' | 'outbound';
  readonly to: Target;
  readonly accessLog: readonly AccessLog[];
  /** Connect upstream only when the peer has proved who it is. */
  readonly afterHandshake?: boolean;
};

export function tcpProxy(options: TcpProxyOptions): Filter {
  return networkFilter('envoy.filters.network.tcp_proxy', TcpProxySchema, {
    statPrefix: `${options.direction}_tcp`,
    clusterSpecifier: options.to,
    accessLog: [...options.accessLog],
    accessLogOptions: { flushAccessLogOnConnected: true },
    // A refused connection is tried elsewhere: nothing has been sent yet.
    maxConnectAttempts: 3,
    ...(options.afterHandshake === true && {
      upstreamConnectMode: UpstreamConnectMode.ON_DOWNSTREAM_TLS_HANDSHAKE,
      maxEarlyDataBytes: 0,
    }),
  });
}

export function toCluster(name: string): Target {
  return { case: 'cluster', value: name };
}

/** Ends every connection at once. */
export const blackHole: Filter = tcpProxy({
  direction: 'inbound',
  to: toCluster(fixedClusters.blackHole),
  accessLog: [],
});

/** The share of an invalid backend is refused; so is everything when there is nothing to share. */
export function toBackends(backends: readonly Backend[]): Target {
  const shares = backends.filter((backend) => backend.weight > 0);
  const [first] = shares;
  if (first === undefined) return toCluster(fixedClusters.blackHole);
  if (shares.length === 1) return toCluster(clusterOf(first));
  return {
    case: 'weightedClusters',
    value: { clusters: shares.map((backend) => ({ name: clusterOf(backend), weight: backend.weight })) },
  };
}

function clusterOf(backend: Backend): string {
  return backend.kind === 'destination' ? outboundCluster(backend.destination) : undefinedCluster;
}
