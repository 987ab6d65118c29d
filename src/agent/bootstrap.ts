import type { WorkloadKey } from '../model/names.ts';

export type BootstrapOptions = {
  readonly workload: WorkloadKey;
  /** What Envoy calls its cluster: the workload's name. */
  readonly cluster: string;
  /** Where Envoy finds its sockets; the directory that the agent made, as seen by Envoy. */
  readonly directory?: string;
};

/** Istio's buckets, so that its dashboards work; they serve bytes as well as milliseconds. */
const buckets = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

/** Beyond Istio's own: what drain asks for, and what tells whether a sidecar and its configuration are well. */
const statPrefixes = [
  'istio.',
  'server.',
  'listener_manager.',
  'cluster_manager.',
  'control_plane.',
  'overload.',
  'http.inbound.',
];

/** Everything that Envoy is told before the first stream: who it is, where its agent is, and how much it may take. JSON. */
export function bootstrap({ workload, cluster, directory = '/run/weft/self' }: BootstrapOptions): string {
  // Never gives up: traffic must not start on half a configuration.
  const overAds = { resource_api_version: 'V3', ads: {}, initial_fetch_timeout: '0s' };
  return JSON.stringify({
    node: { id: workload, cluster },
    admin: { address: { pipe: { path: `${directory}/admin.sock`, mode: 0o600 } } },
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [
          {
            envoy_grpc: {
              cluster_name: 'weft',
              // An agent that was restarted finds its Envoys back within a second.
              retry_policy: { retry_back_off: { base_interval: '0.1s', max_interval: '1s' } },
            },
          },
        ],
      },
      cds_config: overAds,
      lds_config: overAds,
    },
    static_resources: { clusters: [agentCluster(`${directory}/xds.sock`)] },
    stats_config: {
      stats_matcher: { inclusion_list: { patterns: statPrefixes.map((prefix) => ({ prefix })) } },
      histogram_bucket_settings: [{ match: { prefix: 'istio.' }, buckets, bins: 8 }],
    },
    stats_flush_interval: '5s',
    stats_eviction_interval: '300s',
    layered_runtime: {
      // Large regular expressions are the control plane's to judge, with words that a user can act on.
      layers: [{ name: 'weft', static_layer: { 're2.max_program_size.error_level': 32_768 } }],
    },
    overload_manager: overloadManager,
  });
}

function agentCluster(path: string): object {
  const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return {
    name: 'weft',
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: {
      cluster_name: 'weft',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
    },
    typed_extension_protocol_options: {
      [options]: {
        '@type': `type.googleapis.com/${options}`,
        explicit_http_config: {
          http2_protocol_options: { connection_keepalive: { interval: '30s', timeout: '5s' } },
        },
      },
    },
  };
}

/** One sidecar must not take the machine with it. */
const overloadManager = {
  resource_monitors: [
    {
      name: 'envoy.resource_monitors.global_downstream_max_connections',
      typed_config: {
        '@type':
          'type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
        max_active_downstream_connections: 50_000,
      },
    },
  ],
};
