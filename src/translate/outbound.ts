import type { MeshSettings } from '../model/mesh.ts';
import { endpointsKey, type Mesh } from '../model/mesh.ts';
import type { Protocol, Service, ServiceEndpoints } from '../model/service.ts';
import type { Destination, HttpRoutes, ServicePortView, ServiceView } from '../model/traffic.ts';
import type { ResourceList } from '../snapshot/resource.ts';
import { hasEndpoints, outboundClusterResource } from './cluster.ts';
import { endpointsResource } from './endpoints.ts';
import { hashedDestinations, hashingOfPort, hashOnForRule } from './hash-on.ts';
import { type OutboundLogs, outboundLogs } from './logs.ts';
import { keptBy, keptByBoth, keptByText } from './memo.ts';
import { listenerShape, portListeners, virtualOutbound } from './outbound-listener.ts';
import { joinParts, makePart, type Part } from './part.ts';
import { routeResource } from './route.ts';
import type { Self } from './stats-tags.ts';

type Services = readonly ServiceView[];

/** The client side of a sidecar. `Services` is what one namespace sees; namespaces that see the same share lists. */
export type Outbound = {
  readonly clusters: (services: Services) => Part;
  readonly endpoints: (services: Services, endpoints: Mesh['endpoints']) => Part;
  readonly routes: (services: Services) => Part;
  readonly listeners: (services: Services, self: Self) => Part;
};

export function createOutbound(settings: MeshSettings): Outbound {
  return {
    clusters: createClusters(),
    endpoints: createEndpoints(),
    routes: createRoutes(),
    listeners: createListeners(settings),
  };
}

function createClusters(): Outbound['clusters'] {
  const clusterOf = keptByBoth((destination: Destination, service: Service) =>
    makePart((guard) =>
      guard.run(
        { ref: destination.origins[0] ?? service.origin, field: '' },
        () => [outboundClusterResource(service, protocolOf(service, destination.key.port), destination)],
        () => [],
      ),
    ),
  );
  return keptBy((services) =>
    joinParts(services.flatMap((view) => destinationsOf(view).map((one) => clusterOf(one, view.service)))),
  );
}

function destinationsOf(view: ServiceView): readonly Destination[] {
  return view.ports.flatMap((port) => port.destinations);
}

function protocolOf(service: Service, port: number): Protocol {
  return service.ports.find(({ number }) => number === port)?.protocol ?? 'tcp';
}

/** A change of endpoints keeps every resource but its own, and the list itself when it was about other services. */
function createEndpoints(): Outbound['endpoints'] {
  const unknown = keptBy((destination: Destination) => endpointsPart(destination, undefined));
  const known = keptByBoth<Destination, ServiceEndpoints, Part>(endpointsPart);
  const listOf = keptByBoth((endpoints: Mesh['endpoints'], services: Services) =>
    joinParts(
      services.flatMap(destinationsOf).flatMap((destination) => {
        if (!hasEndpoints(destination)) return [];
        const found = endpoints.get(endpointsKey(destination.key.service, destination.key.port));
        return [found === undefined ? unknown(destination) : known(destination, found)];
      }),
    ),
  );
  const latest = new WeakMap<Services, Part>();
  return (services, endpoints) => {
    const fresh = listOf(endpoints, services);
    const before = latest.get(services);
    const part = before !== undefined && isSameList(before.resources, fresh.resources) ? before : fresh;
    latest.set(services, part);
    return part;
  };
}

function endpointsPart(destination: Destination, known: ServiceEndpoints | undefined): Part {
  const ref = known?.origins[0] ?? destination.origins[0];
  const make = (from: ServiceEndpoints | undefined): ResourceList => [endpointsResource(destination, from)];
  return makePart((guard) =>
    ref === undefined
      ? make(known)
      : guard.run(
          { ref, field: '' },
          () => make(known),
          () => make(undefined),
        ),
  );
}

function isSameList(a: ResourceList, b: ResourceList): boolean {
  return a.length === b.length && a.every((resource, index) => resource === b[index]);
}

/** Services without an address have no listener that would ask for routes. */
function createRoutes(): Outbound['routes'] {
  const routesOf = keptByBoth<ServicePortView, Service, Map<string, Part>>(() => new Map());
  return keptBy((services) => {
    const hashed = hashedDestinations(services);
    const parts = services.flatMap(({ service, ports }) =>
      ports.flatMap((view) => {
        if (service.addresses.length === 0 || !isHttp(view)) return [];
        const made = routesOf(view, service);
        const hashing = hashingOfPort(view, hashed);
        const part =
          made.get(hashing) ??
          makePart((guard) => [
            routeResource(service, view, { hashOn: (rule) => hashOnForRule(rule, hashed), guard }),
          ]);
        made.set(hashing, part);
        return [part];
      }),
    );
    return joinParts(parts);
  });
}

type HttpPortView = ServicePortView & { readonly routes: HttpRoutes };

function isHttp(view: ServicePortView): view is HttpPortView {
  return view.routes.kind === 'http';
}

/** Metrics name the caller, so listeners are shared by workloads that are called the same, and by nobody else. */
function createListeners(settings: MeshSettings): Outbound['listeners'] {
  const logs = keptByText(outboundLogsFor);
  const capture = keptByText(
    (_settings: MeshSettings, self: string): Part => ({
      resources: [virtualOutbound({ settings, logs: logs(settings, self) })],
      problems: [],
    }),
  );
  const partsOf = keptByBoth<Service, object, Map<string, Part>>(() => new Map());
  const ofPort = (service: Service, view: ServicePortView, self: string): Part => {
    const made = partsOf(service, listenerShape(view));
    const part =
      made.get(self) ??
      makePart((guard) => portListeners(service, view, { settings, logs: logs(settings, self), guard }));
    made.set(self, part);
    return part;
  };
  const ofServices = keptByText((services: Services, self: string) =>
    joinParts([
      capture(settings, self),
      ...services.flatMap(({ service, ports }) => ports.map((view) => ofPort(service, view, self))),
    ]),
  );
  // A changed route changes no listener: then the list itself is the one before.
  const latest = new Map<string, WeakRef<Part>>();
  return (services, self) => {
    const text = JSON.stringify(self);
    const fresh = ofServices(services, text);
    const before = latest.get(text)?.deref();
    if (before === fresh) return fresh;
    if (before !== undefined && isSameList(before.resources, fresh.resources)) return before;
    latest.set(text, new WeakRef(fresh));
    return fresh;
  };
}

function outboundLogsFor(settings: MeshSettings, self: string): OutboundLogs {
  // Its own JSON, made in `createListeners`.
  return outboundLogs(settings, JSON.parse(self) as Self);
}
