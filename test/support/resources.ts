/** Small, valid Envoy messages for tests of what carries them. */
import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { anyPack } from '@bufbuild/protobuf/wkt';
import {
  type Cluster,
  Cluster_DiscoveryType,
  ClusterSchema,
} from '../../gen/envoy/config/cluster/v3/cluster_pb.ts';
import { type Address, AddressSchema } from '../../gen/envoy/config/core/v3/address_pb.ts';
import {
  ApiVersion,
  type ConfigSource,
  ConfigSourceSchema,
} from '../../gen/envoy/config/core/v3/config_source_pb.ts';
import { LbEndpointSchema } from '../../gen/envoy/config/endpoint/v3/endpoint_components_pb.ts';
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from '../../gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import { type Listener, ListenerSchema } from '../../gen/envoy/config/listener/v3/listener_pb.ts';
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from '../../gen/envoy/config/route/v3/route_pb.ts';
import { RouterSchema } from '../../gen/envoy/extensions/filters/http/router/v3/router_pb.ts';
import { HttpConnectionManagerSchema } from '../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { TcpProxySchema } from '../../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import { SecretSchema } from '../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { EnvoyResource, Resource } from '../../src/snapshot/resource.ts';
import { resourceFromBytes } from '../../src/snapshot/snapshot.ts';

export function ads(): ConfigSource {
  return create(ConfigSourceSchema, {
    resourceApiVersion: ApiVersion.V3,
    configSourceSpecifier: { case: 'ads', value: {} },
  });
}

export function cluster(name: string, more: MessageInitShape<typeof ClusterSchema> = {}): Cluster {
  return Object.assign(
    create(ClusterSchema, {
      name,
      clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
      connectTimeout: { seconds: 1n },
      edsClusterConfig: { edsConfig: ads() },
    }),
    more,
  );
}

export function endpoints(name: string, ports: readonly number[]): ClusterLoadAssignment {
  const lbEndpoints = ports.map((port) =>
    create(LbEndpointSchema, {
      hostIdentifier: { case: 'endpoint', value: { address: loopback(port) } },
    }),
  );
  return create(ClusterLoadAssignmentSchema, { clusterName: name, endpoints: [{ lbEndpoints }] });
}

function loopback(port: number): Address {
  return create(AddressSchema, {
    address: {
      case: 'socketAddress',
      value: { address: '127.0.0.1', portSpecifier: { case: 'portValue', value: port } },
    },
  });
}

/** The first cluster gets the traffic; the others are named by routes that match `/<name>`. */
export function routes(name: string, clusters: readonly string[], prefix = ''): RouteConfiguration {
  const route = (to: string, path: string) => ({
    match: { pathSpecifier: { case: 'prefix' as const, value: path } },
    action: {
      case: 'route' as const,
      value: { clusterSpecifier: { case: 'cluster' as const, value: to } },
    },
  });
  const [first = '', ...rest] = clusters;
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts: [
      {
        name: `all${prefix}`,
        domains: ['*'],
        routes: [...rest.map((to) => route(to, `/${to}`)), route(first, '/')],
      },
    ],
  });
}

export function pack<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any {
  return anyPack(schema, create(schema, init));
}

function listener(name: string, socket: string, filter: { name: string; typedConfig: Any }): Listener {
  return create(ListenerSchema, {
    name,
    address: { address: { case: 'pipe', value: { path: socket } } },
    filterChains: [
      { filters: [{ name: filter.name, configType: { case: 'typedConfig', value: filter.typedConfig } }] },
    ],
  });
}

export function httpListener(name: string, routeName: string, socket = `@${name}`): Listener {
  const router = { case: 'typedConfig' as const, value: pack(RouterSchema, {}) };
  return listener(name, socket, {
    name: 'http',
    typedConfig: pack(HttpConnectionManagerSchema, {
      statPrefix: name,
      routeSpecifier: { case: 'rds', value: { routeConfigName: routeName, configSource: ads() } },
      httpFilters: [{ name: 'router', configType: router }],
    }),
  });
}

export function tcpListener(name: string, to: string, socket = `@${name}`): Listener {
  return listener(name, socket, {
    name: 'tcp',
    typedConfig: pack(TcpProxySchema, { statPrefix: name, clusterSpecifier: { case: 'cluster', value: to } }),
  });
}

export function secret(name: string, value: string): Resource {
  const message = create(SecretSchema, {
    name,
    type: {
      case: 'genericSecret',
      value: { secret: { specifier: { case: 'inlineString', value } } },
    },
  });
  return resourceFromBytes('secret', name, toBinary(SecretSchema, message));
}

type Made = Cluster | ClusterLoadAssignment | Listener | RouteConfiguration;

/** The message as a resource, not yet encoded. */
export function envoyResource(message: Made): EnvoyResource {
  switch (message.$typeName) {
    case 'envoy.config.cluster.v3.Cluster':
      return { type: 'cluster', name: message.name, message, origin: [] };
    case 'envoy.config.endpoint.v3.ClusterLoadAssignment':
      return { type: 'endpoint', name: message.clusterName, message, origin: [] };
    case 'envoy.config.listener.v3.Listener':
      return { type: 'listener', name: message.name, message, origin: [] };
    case 'envoy.config.route.v3.RouteConfiguration':
      return { type: 'route', name: message.name, message, origin: [] };
  }
}
