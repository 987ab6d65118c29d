import { create } from '@bufbuild/protobuf';
import { TrafficDirection } from '../../gen/envoy/config/core/v3/base_pb.ts';
import type { FilterChainSchema } from '../../gen/envoy/config/listener/v3/listener_components_pb.ts';
import { ListenerSchema } from '../../gen/envoy/config/listener/v3/listener_pb.ts';
import type { MeshSettings } from '../model/mesh.ts';
import { meshPorts } from '../model/names.ts';
import { showRef } from '../model/object-ref.ts';
import type { Service } from '../model/service.ts';
import type { ServicePortView } from '../model/traffic.ts';
import type { EnvoyResource } from '../snapshot/resource.ts';
import { socketAddress } from './envoy/address.ts';
import { duration } from './envoy/duration.ts';
import type { Init } from './envoy/init.ts';
import { weftMetadata } from './envoy/metadata.ts';
import type { Guard } from './guard.ts';
import { httpConnectionManager } from './http-connection-manager.ts';
import { httpFilters, openAccess } from './http-filters.ts';
import { bufferLimit } from './http-options.ts';
import { httpInspector, inspectionTimeout, sniffedHttp } from './listener-filters.ts';
import type { OutboundLogs } from './logs.ts';
import { fixedClusters, listenerName, outboundCluster, routeConfigurationName } from './names.ts';
import { sortedOrigins } from './origin.ts';
import { offerHttpFilter } from './peer-metadata.ts';
import { blackHole, tcpProxy, toBackends, toCluster } from './tcp-proxy.ts';

type Chain = Init<typeof FilterChainSchema>;
type ListenerPart = Init<typeof ListenerSchema>;

export type OutboundOptions = {
  readonly settings: MeshSettings;
  readonly logs: OutboundLogs;
  readonly guard: Guard;
};

/**
 * Where capture sends everything that the workload sends. It hands a connection to the listener of the address that was
 * meant; what is left over matches no service. Its own port is guarded, or a call to it would go round for ever.
 */
export function virtualOutbound({ settings, logs }: Omit<OutboundOptions, 'guard'>): EnvoyResource {
  const name = 'virtualOutbound';
  const open = settings.outboundPolicy === 'ALLOW_ANY';
  const rest: Chain = {
    name: open ? 'passthrough' : 'black-hole',
    filters: [
      tcpProxy({
        direction: 'outbound',
        to: toCluster(open ? fixedClusters.passthrough : fixedClusters.blackHole),
        accessLog: open ? logs.passthrough : logs.blackHole,
      }),
    ],
  };
  const message = create(ListenerSchema, {
    name,
    address: socketAddress('0.0.0.0', meshPorts.outbound),
    trafficDirection: TrafficDirection.OUTBOUND,
    useOriginalDst: true,
    perConnectionBufferLimitBytes: bufferLimit,
    filterChains: [
      { name: 'guard', filterChainMatch: { destinationPort: meshPorts.outbound }, filters: [blackHole] },
    ],
    defaultFilterChain: rest,
  });
  return { type: 'listener', name, message, origin: [] };
}

/**
 * One listener for each address of a Service's port, bound to nothing: capture's listener finds it by the address that
 * the workload called. A headless Service has no address of its own; calls to its pods pass through as they are.
 */
export function portListeners(
  service: Service,
  view: ServicePortView,
  options: OutboundOptions,
): readonly EnvoyResource[] {
  return service.addresses.map((address) => serviceListener(service, address, view, options));
}

/** What of a port's view shapes its listeners: HTTP rules come by the route configuration. */
export function listenerShape({ port, routes }: ServicePortView): object {
  return routes.kind === 'http' ? port : routes;
}

function serviceListener(
  service: Service,
  address: string,
  portView: ServicePortView,
  { logs, guard, settings }: OutboundOptions,
): EnvoyResource {
  const name = listenerName(address, portView.port.number);
  // Left out, calls would pass through around the mesh's rules; so they are refused instead.
  const refuse = (): ListenerPart => ({ filterChains: [{ name: 'refused', filters: [blackHole] }] });
  const body = guard.run(
    { ref: service.origin, field: '' },
    () => listenerBody(service, portView, { logs, guard, settings }),
    refuse,
  );
  const message = create(ListenerSchema, {
    name,
    address: socketAddress(address, portView.port.number),
    bindToPort: false,
    trafficDirection: TrafficDirection.OUTBOUND,
    perConnectionBufferLimitBytes: bufferLimit,
    ...body,
    metadata: weftMetadata({ service: service.host, origin: showRef(service.origin) }),
  });
  return { type: 'listener', name, message, origin: listenerOrigin(service, portView) };
}

function listenerOrigin(service: Service, { routes }: ServicePortView): EnvoyResource['origin'] {
  const rules = routes.kind === 'tcp' ? routes.origins.map((origin) => origin.ref) : [];
  return sortedOrigins([service.origin, ...rules]);
}

function listenerBody(service: Service, view: ServicePortView, options: OutboundOptions): ListenerPart {
  const { port, routes } = view;
  if (routes.kind === 'tcp') {
    return { filterChains: [tcpChain(toBackends(routes.backends), options)] };
  }
  const http = httpChain(service, view, options);
  if (port.protocol !== 'auto') return { filterChains: [http] };
  const all = outboundCluster({
    service: service.key,
    host: service.host,
    port: port.number,
    subset: '',
  });
  return {
    listenerFilters: [httpInspector],
    listenerFiltersTimeout: duration(inspectionTimeout),
    continueOnListenerFiltersTimeout: true,
    filterChains: [
      { ...http, filterChainMatch: { applicationProtocols: [...sniffedHttp] } },
      tcpChain(toCluster(all), options),
    ],
  };
}

function httpChain(service: Service, { port }: ServicePortView, options: OutboundOptions): Chain {
  const { settings, guard, logs } = options;
  const manager = httpConnectionManager({
    direction: 'outbound',
    routes: routeConfigurationName(service.host, port.number),
    filters: httpFilters({ access: openAccess, trustDomain: settings.trustDomain, guard }),
    accessLog: logs.http,
  });
  return { name: 'http', filters: [offerHttpFilter, manager] };
}

function tcpChain(to: ReturnType<typeof toCluster>, { logs }: OutboundOptions): Chain {
  return { name: 'tcp', filters: [tcpProxy({ direction: 'outbound', to, accessLog: logs.tcp })] };
}
