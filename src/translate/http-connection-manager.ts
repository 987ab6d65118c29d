import type { AccessLog } from '../../gen/envoy/config/accesslog/v3/accesslog_pb.ts';
import type { Filter } from '../../gen/envoy/config/listener/v3/listener_components_pb.ts';
import type { RouteConfiguration } from '../../gen/envoy/config/route/v3/route_pb.ts';
import {
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCert,
  HttpConnectionManagerSchema,
  type HttpFilter,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
} from '../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { networkFilter } from './envoy/any.ts';
import { overAds } from './envoy/config-source.ts';
import { duration } from './envoy/duration.ts';
import type { Init } from './envoy/init.ts';
import { http2Limits } from './http-options.ts';

type ManagerInit = Init<typeof HttpConnectionManagerSchema>;

/** A stream on which nothing moves for this long is given up; long enough for a quiet WebSocket or gRPC watch. */
const streamIdleTimeout = 3_600_000;

export type HttpConnectionManagerOptions = {
  readonly direction: 'inbound' | 'outbound';
  /** The name of a route configuration to fetch, or the configuration itself. */
  readonly routes: string | RouteConfiguration;
  readonly filters: readonly HttpFilter[];
  readonly accessLog: readonly AccessLog[];
};

/** The place where bytes become requests. Both directions share it, and one prefix of statistics for each direction. */
export function httpConnectionManager(options: HttpConnectionManagerOptions): Filter {
  return networkFilter(
    'envoy.filters.network.http_connection_manager',
    HttpConnectionManagerSchema,
    connectionManager(options),
  );
}

function connectionManager({
  direction,
  routes,
  filters,
  accessLog,
}: HttpConnectionManagerOptions): ManagerInit {
  return {
    statPrefix: direction,
    routeSpecifier:
      typeof routes === 'string'
        ? { case: 'rds', value: { routeConfigName: routes, configSource: overAds() } }
        : { case: 'routeConfig', value: routes },
    httpFilters: [...filters],
    accessLog: [...accessLog],
    ...normalization,
    http2ProtocolOptions: { ...http2Limits, maxConcurrentStreams: 1024 },
    streamIdleTimeout: duration(streamIdleTimeout),
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    serverHeaderTransformation: ServerHeader.PASS_THROUGH,
    // The caller is another sidecar or the app itself, never the edge of the world.
    useRemoteAddress: false,
    generateRequestId: true,
    ...(direction === 'inbound' && ofCallers),
  };
}

/** Once, before routing and policy, and what the server gets is what was judged. */
const normalization: ManagerInit = {
  normalizePath: true,
  mergeSlashes: true,
  pathWithEscapedSlashesAction: EscapedSlashes.UNESCAPE_AND_FORWARD,
};

/** The app learns its caller's identity from us, and from nobody else; a caller may not trickle its headers. */
const ofCallers: ManagerInit = {
  forwardClientCertDetails: ForwardClientCert.SANITIZE_SET,
  setCurrentClientCertDetails: { uri: true },
  requestHeadersTimeout: duration(10_000),
};
