import type { Any } from '@bufbuild/protobuf/wkt';
import type { Http2ProtocolOptionsSchema } from '../../gen/envoy/config/core/v3/protocol_pb.ts';
import { HttpProtocolOptionsSchema } from '../../gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts';
import type { ConnectionPool, Duration } from '../model/traffic.ts';
import { any } from './envoy/any.ts';
import { duration } from './envoy/duration.ts';
import type { Init } from './envoy/init.ts';

/** What one connection and one stream may hold in memory, on both ends of every hop. */
export const bufferLimit = 32_768;
export const http2Limits: Init<typeof Http2ProtocolOptionsSchema> = {
  initialStreamWindowSize: 65_536,
  initialConnectionWindowSize: 1_048_576,
};

const optionsKey = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** `asCaller` speaks to the server what the client spoke to us: HTTP/1.1, HTTP/2 and gRPC on one cluster. */
export function httpProtocolOptions(
  protocol: 'asCaller' | 'http2',
  pool: ConnectionPool & { readonly idleTimeout: Duration },
): Record<string, Any> {
  const http2ProtocolOptions: Init<typeof Http2ProtocolOptionsSchema> = {
    ...http2Limits,
    ...(pool.maxConcurrentStreams !== undefined && { maxConcurrentStreams: pool.maxConcurrentStreams }),
  };
  const options = any(HttpProtocolOptionsSchema, {
    commonHttpProtocolOptions: {
      idleTimeout: duration(pool.idleTimeout),
      ...(pool.maxConnectionDuration !== undefined && {
        maxConnectionDuration: duration(pool.maxConnectionDuration),
      }),
      // 0 is "no limit" to the user, and refused by Envoy.
      ...((pool.maxRequestsPerConnection ?? 0) > 0 && {
        maxRequestsPerConnection: pool.maxRequestsPerConnection,
      }),
    },
    upstreamProtocolOptions:
      protocol === 'http2'
        ? {
            case: 'explicitHttpConfig',
            value: { protocolConfig: { case: 'http2ProtocolOptions', value: http2ProtocolOptions } },
          }
        : {
            case: 'useDownstreamProtocolConfig',
            value: { httpProtocolOptions: {}, http2ProtocolOptions },
          },
  });
  return { [optionsKey]: options };
}
