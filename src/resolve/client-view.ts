import { endpointsKey } from '../model/mesh.ts';
import { showRef } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import type { Service, ServicePort } from '../model/service.ts';
import {
  defaultRetry,
  type HttpRule,
  noHeaders,
  type ServicePortView,
  type ServiceView,
  type TcpRoutes,
} from '../model/traffic.ts';
import { type Place, placeBackend, placeRule, toOwn } from './backend.ts';
import type { ClientWorld } from './client-world.ts';
import { listDestinations } from './destination-rule.ts';
import { compareRules } from './http-route-match.ts';
import { createReports } from './problems.ts';
import { isHttp } from './protocol.ts';
import type { ReadVirtualService, ScopedTcp } from './virtual-service.ts';
import type { MatchScope } from './virtual-service-match.ts';

export type BuiltView = { readonly view: ServiceView; readonly problems: readonly Problem[] };

/** One Service as one client namespace sees it. Everything beyond the Service itself is asked of the world. */
export function buildServiceView(service: Service, world: ClientWorld): BuiltView {
  const reports = createReports();
  const rule = world.destinationRule(service.host);
  const ports = service.ports.map((port): ServicePortView => {
    const routed = buildRoutes({ service, port, world, reports });
    const key = { service: service.key, host: service.host, port: port.number };
    const plaintext = world.plaintext(endpointsKey(service.key, port.number));
    return { ...routed, destinations: listDestinations(key, rule, { origin: service.origin, plaintext }) };
  });
  return { view: { service, ports }, problems: reports.all() };
}

type Routed = Pick<ServicePortView, 'port' | 'routes'>;

/** HTTPRoutes, else a VirtualService, else the Service's own endpoints. */
function buildRoutes(place: Place): Routed {
  const { service, port, world } = place;
  const virtual = world.virtualService(service.host);
  const routes = world.httpRoutes(endpointsKey(service.key, port.number));
  if (routes.length > 0) {
    if (virtual?.http.some((rule) => inScope(rule, place))) reportLoser(virtual, place);
    // A consumer's route says what a silent port speaks, for that consumer.
    const spoken: ServicePort = port.protocol === 'auto' ? { ...port, protocol: 'http' } : port;
    const drafts = routes.flatMap(({ rules }) => rules).sort(compareRules);
    return { port: spoken, routes: { kind: 'http', rules: drafts.map((draft) => placeRule(draft, place)) } };
  }
  const http = virtual && isHttp(port.protocol) ? virtualRules(virtual, place) : [];
  const tcp = virtual?.tcp.find((route) => inScope(route, place));
  if (port.protocol === 'auto' && tcp) {
    if (virtual && http.length > 0) reportBoth(virtual, place);
    else return { port: { ...port, protocol: 'tcp' }, routes: tcpRoutes(tcp, place) };
  }
  if (isHttp(port.protocol)) {
    return { port, routes: { kind: 'http', rules: http.length > 0 ? http : [defaultRule(place)] } };
  }
  if (virtual?.tls && port.protocol === 'tls') return { port, routes: closed(virtual) };
  return { port, routes: tcp ? tcpRoutes(tcp, place) : defaultTcp(place) };
}

function inScope({ port, sourceNamespace }: MatchScope, place: Place): boolean {
  const here = port === undefined || port === place.port.number;
  return here && (sourceNamespace === undefined || place.world.isClient(sourceNamespace));
}

/** In the order written, up to the first that matches everything. */
function virtualRules({ http }: ReadVirtualService, place: Place): readonly HttpRule[] {
  const rules = http.filter((rule) => inScope(rule, place));
  const last = rules.findIndex(({ catchAll }) => catchAll);
  const reached = last < 0 ? rules : rules.slice(0, last + 1);
  return reached.map(({ draft }) => placeRule(draft, place));
}

function defaultRule(place: Place): HttpRule {
  return {
    name: 'default',
    match: { path: { kind: 'prefix', value: '/', ignoreCase: false }, headers: [], query: [] },
    action: { kind: 'forward', backends: [toOwn(place, 1)] },
    requestHeaders: noHeaders,
    responseHeaders: noHeaders,
    timeout: 0,
    retry: defaultRetry,
    origin: { ref: place.service.origin, field: '' },
  };
}

function tcpRoutes({ backends, origin }: ScopedTcp, place: Place): TcpRoutes {
  return {
    kind: 'tcp',
    backends: backends.map((backend) => placeBackend(backend, place)),
    origins: [origin],
  };
}

function defaultTcp(place: Place): TcpRoutes {
  return { kind: 'tcp', backends: [toOwn(place, 1)], origins: [{ ref: place.service.origin, field: '' }] };
}

function closed({ ref }: ReadVirtualService): TcpRoutes {
  const message = 'routing by SNI is not supported yet';
  return {
    kind: 'tcp',
    backends: [{ kind: 'invalid', weight: 1, message }],
    origins: [{ ref, field: 'spec.tls' }],
  };
}

function reportLoser({ ref, hosts }: ReadVirtualService, { service, port, world, reports }: Place): void {
  const [route] = world.httpRoutes(endpointsKey(service.key, port.number));
  const field = hosts.find(({ host }) => host === service.host)?.field ?? 'spec.hosts';
  reports.on(ref).error('WEFT-1207', {
    field,
    message: `port ${port.number} of Service ${service.key} has ${route ? showRef(route.ref) : 'an HTTPRoute'}, and HTTPRoutes go before VirtualServices; the rules here do not act there`,
    fix: 'keep one of the two for this port',
  });
}

function reportBoth({ ref }: ReadVirtualService, { service, port, reports }: Place): void {
  reports.on(ref).error('WEFT-1101', {
    field: 'spec.tcp',
    message: `port ${port.number} of Service ${service.key} does not say whether it speaks HTTP, and both \`http\` and \`tcp\` name it; \`tcp\` was left out`,
    fix: 'set `appProtocol` on the port of the Service',
  });
}
