import { create, type JsonObject } from '@bufbuild/protobuf';
import { type AccessLog, AccessLogSchema } from '../../gen/envoy/config/accesslog/v3/accesslog_pb.ts';
import { AccessLogType } from '../../gen/envoy/data/accesslog/v3/accesslog_pb.ts';
import { StdoutAccessLogSchema } from '../../gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts';
import { any } from './envoy/any.ts';
import { onlyAt } from './stats-log.ts';

/** Keys of one connection, the ones Istio's users know; the last four say which of the user's objects decided. */
const connectionKeys: JsonObject = {
  start_time: '%START_TIME%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
  downstream_transport_failure_reason: '%DOWNSTREAM_TRANSPORT_FAILURE_REASON%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_cluster: '%UPSTREAM_CLUSTER_RAW%',
  upstream_local_address: '%UPSTREAM_LOCAL_ADDRESS%',
  downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  requested_server_name: '%REQUESTED_SERVER_NAME%',
  source_principal: '%DOWNSTREAM_PEER_URI_SAN%',
  destination_principal: '%UPSTREAM_PEER_URI_SAN%',
  upstream_workload: '%METADATA(UPSTREAM_HOST:weft:workload)%',
  filter_chain: '%FILTER_CHAIN_NAME%',
};

const requestKeys: JsonObject = {
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  grpc_status: '%GRPC_STATUS_NUMBER%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  upstream_attempts: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
  x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  authority: '%REQ(:AUTHORITY)%',
  route_name: '%ROUTE_NAME%',
  route_origin: '%METADATA(ROUTE:weft:origin)%',
  route_problem: '%METADATA(ROUTE:weft:problem)%',
};

export type Reporter = 'source' | 'destination';

/** Standard output through Envoy itself: after it has changed its user it may not open `/dev/stdout`. */
export function httpAccessLog(reporter: Reporter): AccessLog {
  return jsonLog({ reporter, ...connectionKeys, ...requestKeys });
}

/** One line for each connection, at its end. */
export function tcpAccessLog(reporter: Reporter): AccessLog {
  return jsonLog({ reporter, ...connectionKeys }, onlyAt(AccessLogType.TcpConnectionEnd));
}

function jsonLog(keys: JsonObject, filter?: ReturnType<typeof onlyAt>): AccessLog {
  return create(AccessLogSchema, {
    name: 'envoy.access_loggers.stdout',
    ...(filter !== undefined && { filter }),
    configType: {
      case: 'typedConfig',
      value: any(StdoutAccessLogSchema, {
        accessLogFormat: {
          case: 'logFormat',
          value: { format: { case: 'jsonFormat', value: keys }, omitEmptyValues: true },
        },
      }),
    },
  });
}
