/** What someone writes who wants mTLS between two Envoys and nothing else: the same TLS, one route, no logs, no rules. */
import type { JsonObject } from '@bufbuild/protobuf';

export type PlainFiles = { readonly key: string; readonly chain: string; readonly roots: string };

const type = (name: string): string => `type.googleapis.com/envoy.${name}`;
const address = (host: string, port: number): JsonObject => ({
  socket_address: { address: host, port_value: port },
});

export type PlainProxy = {
  readonly listen: readonly [string, number];
  readonly upstream: readonly [string, number];
  readonly downstreamTls?: JsonObject;
  readonly upstreamTls?: JsonObject;
};

/** One listener, one route, one cluster; JSON. */
export function plainProxy({ listen, upstream, downstreamTls, upstreamTls }: PlainProxy): string {
  const chain = {
    ...(downstreamTls && { transport_socket: downstreamTls }),
    filters: [httpManager({ route: { cluster: 'next', timeout: '0s' } })],
  };
  return JSON.stringify({
    static_resources: {
      listeners: [{ name: 'in', address: address(...listen), filter_chains: [chain] }],
      clusters: [
        {
          name: 'next',
          type: 'STATIC',
          load_assignment: {
            cluster_name: 'next',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(...upstream) } }] }],
          },
          ...(upstreamTls && { transport_socket: upstreamTls }),
        },
      ],
    },
  });
}

/** An app that costs next to nothing: an Envoy that answers a kilobyte itself. */
export function plainApp(host: string, port: number): string {
  const answer = { status: 200, body: { inline_string: 'x'.repeat(1024) } };
  const chain = { filters: [httpManager({ direct_response: answer })] };
  return JSON.stringify({
    static_resources: {
      listeners: [{ name: 'app', address: address(host, port), filter_chains: [chain] }],
    },
  });
}

function httpManager(action: JsonObject): JsonObject {
  return {
    name: 'http',
    typed_config: {
      '@type': type('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
      stat_prefix: 'http',
      route_config: {
        virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, ...action }] }],
      },
      http_filters: [
        { name: 'router', typed_config: { '@type': type('extensions.filters.http.router.v3.Router') } },
      ],
    },
  };
}

export function serverTls(files: PlainFiles, client: string): JsonObject {
  return {
    name: 'tls',
    typed_config: {
      '@type': type('extensions.transport_sockets.tls.v3.DownstreamTlsContext'),
      require_client_certificate: true,
      common_tls_context: tls(files, client),
    },
  };
}

export function clientTls(files: PlainFiles, server: string): JsonObject {
  return {
    name: 'tls',
    typed_config: {
      '@type': type('extensions.transport_sockets.tls.v3.UpstreamTlsContext'),
      common_tls_context: tls(files, server),
    },
  };
}

function tls({ key, chain, roots }: PlainFiles, peer: string): JsonObject {
  return {
    tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [{ certificate_chain: { filename: chain }, private_key: { filename: key } }],
    validation_context: {
      trusted_ca: { filename: roots },
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: peer } }],
    },
  };
}
