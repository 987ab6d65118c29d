import { create, type DescMessage } from '@bufbuild/protobuf';
import {
  type AccessLog,
  type AccessLogFilterSchema,
  AccessLogSchema,
} from '../../gen/envoy/config/accesslog/v3/accesslog_pb.ts';
import { AccessLogType } from '../../gen/envoy/data/accesslog/v3/accesslog_pb.ts';
import {
  Config_Histogram_Unit,
  ConfigSchema,
} from '../../gen/envoy/extensions/access_loggers/stats/v3/stats_pb.ts';
import { TransformStatSchema } from '../../gen/envoy/extensions/matching/actions/transform_stat/v3/transform_stat_pb.ts';
import { StatTagValueInputSchema } from '../../gen/envoy/extensions/matching/common_inputs/stats/v3/stats_pb.ts';
import { type TypedExtensionConfig, TypedExtensionConfigSchema } from '../../gen/xds/core/v3/extension_pb.ts';
import type {
  Matcher_MatcherList_PredicateSchema,
  Matcher_OnMatchSchema,
  MatcherSchema,
} from '../../gen/xds/type/matcher/v3/matcher_pb.ts';
import { any } from './envoy/any.ts';
import type { Init } from './envoy/init.ts';
import type { StatTag } from './stats-tags.ts';

/**
 * Istio's standard metrics, from Envoy's own stats access logger. Envoy prints them as `envoy_istio_…`; who scrapes
 * renames them. No `sharing_name`: it crashes Envoy 1.40's validation.
 */
const statsScope = { prefix: 'istio', enableEviction: true, maxCounters: 20_000, maxHistograms: 20_000 };

type LogFilter = Init<typeof AccessLogFilterSchema>;
type Config = Init<typeof ConfigSchema>;
type Tag = StatTag & { readonly rules?: Init<typeof MatcherSchema> };

export function httpStats(labels: readonly StatTag[]): readonly AccessLog[] {
  const tags: Tag[] = [
    ...labels,
    { name: 'request_protocol', valueFormat: '%REQUEST_HEADER(content-type)%', rules: grpcOrHttp },
    { name: 'response_code', valueFormat: '%RESPONSE_CODE%' },
    { name: 'grpc_response_status', valueFormat: '%GRPC_STATUS_NUMBER%', rules: dropEmpty },
    { name: 'response_flags', valueFormat: '%RESPONSE_FLAGS%' },
  ];
  const histogram = (
    name: string,
    valueFormat: string,
    unit: Config_Histogram_Unit,
  ): NonNullable<Config['histograms']>[number] => ({ stat: { name, tags }, unit, valueFormat });
  return [
    statsLog({
      counters: [{ stat: { name: 'requests_total', tags }, valueFixed: 1n }],
      histograms: [
        histogram('request_duration_milliseconds', '%DURATION%', Config_Histogram_Unit.Milliseconds),
        histogram('request_bytes', '%BYTES_RECEIVED%', Config_Histogram_Unit.Bytes),
        histogram('response_bytes', '%BYTES_SENT%', Config_Histogram_Unit.Bytes),
      ],
    }),
  ];
}

/** Opened is counted when the upstream is connected, the rest when the connection ends. */
export function tcpStats(labels: readonly StatTag[]): readonly AccessLog[] {
  const tags: Tag[] = [
    ...labels,
    { name: 'request_protocol', valueFormat: 'tcp' },
    { name: 'response_flags', valueFormat: '%RESPONSE_FLAGS%' },
  ];
  return [
    statsLog(
      { counters: [{ stat: { name: 'tcp_connections_opened_total', tags }, valueFixed: 1n }] },
      onlyAt(AccessLogType.TcpUpstreamConnected),
    ),
    statsLog(
      {
        counters: [
          { stat: { name: 'tcp_connections_closed_total', tags }, valueFixed: 1n },
          { stat: { name: 'tcp_received_bytes_total', tags }, valueFormat: '%BYTES_RECEIVED%' },
          { stat: { name: 'tcp_sent_bytes_total', tags }, valueFormat: '%BYTES_SENT%' },
        ],
      },
      onlyAt(AccessLogType.TcpConnectionEnd),
    ),
  ];
}

export function onlyAt(type: AccessLogType): LogFilter {
  return { filterSpecifier: { case: 'logTypeFilter', value: { types: [type] } } };
}

function statsLog(config: Config, filter?: LogFilter): AccessLog {
  return create(AccessLogSchema, {
    name: 'envoy.access_loggers.stats',
    ...(filter !== undefined && { filter }),
    configType: { case: 'typedConfig', value: any(ConfigSchema, { statsScope, ...config }) },
  });
}

const tagValue = xdsExtension('tag-value', StatTagValueInputSchema, {});

function transform(change: Init<typeof TransformStatSchema>): Init<typeof Matcher_OnMatchSchema> {
  return { onMatch: { case: 'action', value: xdsExtension('transform', TransformStatSchema, change) } };
}

/** gRPC is known by its content type; a call without one is still HTTP. */
const grpcOrHttp: Init<typeof MatcherSchema> = {
  matcherType: {
    case: 'matcherList',
    value: {
      matchers: [
        {
          predicate: valueIs({ case: 'prefix', value: 'application/grpc' }),
          onMatch: transform({ updateTag: { newTagValue: 'grpc' } }),
        },
      ],
    },
  },
  onNoMatch: transform({ updateTag: { newTagValue: 'http' } }),
};

const dropEmpty: Init<typeof MatcherSchema> = {
  matcherType: {
    case: 'matcherList',
    value: {
      matchers: [{ predicate: valueIs({ case: 'exact', value: '' }), onMatch: transform({ dropTag: {} }) }],
    },
  },
};

function valueIs(matchPattern: {
  case: 'exact' | 'prefix';
  value: string;
}): Init<typeof Matcher_MatcherList_PredicateSchema> {
  return {
    matchType: {
      case: 'singlePredicate',
      value: { input: tagValue, matcher: { case: 'valueMatch', value: { matchPattern } } },
    },
  };
}

/** The matching API has a type of its own for this; it looks the same and is not. */
function xdsExtension<Desc extends DescMessage>(
  name: string,
  schema: Desc,
  init: Init<Desc>,
): TypedExtensionConfig {
  return create(TypedExtensionConfigSchema, { name, typedConfig: any(schema, init) });
}
