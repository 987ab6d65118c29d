import { deepEqual } from '../base/content.ts';
import type { Mesh, MeshSettings } from '../model/mesh.ts';
import type { ServiceKey } from '../model/names.ts';
import type { Problem } from '../model/problem.ts';
import type { Service } from '../model/service.ts';
import type { ClientView, ServiceView } from '../model/traffic.ts';
import { buildServiceView } from './client-view.ts';
import type { ClientWorld } from './client-world.ts';
import { type DestinationRules, findDestinationRules, mergeDestinationRules } from './destination-rule.ts';
import { isVisible } from './host.ts';
import type { RouteIndex } from './http-route-parent.ts';
import { type Asked, keepMap, perList, reuse, sameItems, stillAnswers, tracked } from './remember.ts';
import type { ServiceNames } from './topology.ts';
import { findVirtualService, type VirtualServices } from './virtual-service-host.ts';

export type ClientSources = {
  readonly names: ServiceNames;
  readonly services: Mesh['services'];
  /** Those that have a workload, sorted. */
  readonly namespaces: readonly string[];
  readonly routes: Pick<RouteIndex, 'producers' | 'consumers'>;
  readonly virtualServices: VirtualServices;
  readonly destinationRules: DestinationRules;
  readonly plaintext: ReadonlySet<string>;
};
export type Clients = { readonly views: Mesh['clients']; readonly problems: readonly Problem[] };

/** A service's view, and everything it was made from. It fits every client, now and later, that answers the same. */
type Made = {
  readonly service: Service;
  readonly asked: readonly Asked[];
  readonly view: ServiceView;
  readonly problems: readonly Problem[];
};
type Shelf = Map<ServiceKey, Made[]>;

export function createClients(
  settings: MeshSettings,
): (input: ClientSources, last: Clients | undefined) => Clients {
  const merged = perList(mergeDestinationRules);
  let shelf: Shelf = new Map();
  return (input, last) => {
    const fresh: Shelf = new Map();
    const views = new Map<string, ClientView>();
    let previous: readonly ServiceView[] = [];
    for (const namespace of input.namespaces) {
      const world = createWorld(input, { namespace, settings, merged });
      const old = last?.views.get(namespace);
      const services = seeServices(input, { world, namespace, old, fresh, shelf });
      const list = [old?.services ?? [], previous].find((known) => sameItems(known, services)) ?? services;
      previous = list;
      views.set(namespace, old?.services === list ? old : { namespace, services: list });
    }
    shelf = fresh;
    const problems = [...fresh.values()].flat().flatMap((made) => made.problems);
    return { views: keepMap(last?.views, views), problems };
  };
}

type Looking = {
  readonly world: ClientWorld;
  readonly namespace: string;
  readonly old: ClientView | undefined;
  readonly fresh: Shelf;
  readonly shelf: Shelf;
};

/** Everything that the client sees, from the shelves where it can be. */
function seeServices({ names, services }: ClientSources, looking: Looking): readonly ServiceView[] {
  const { world, namespace, old, fresh, shelf } = looking;
  const oldViews = new Map(old?.services.map((view) => [view.service.key, view]));
  return names.reads.flatMap(({ key, visibility }) => {
    const service = services.get(key);
    if (!service || !isVisible(visibility, namespace)) return [];
    const made =
      findMade(fresh.get(key), service, world) ??
      findMade(shelf.get(key), service, world) ??
      make({ service, world, known: [fresh.get(key), shelf.get(key)], old: oldViews.get(key) });
    keep(fresh, made);
    return [made.view];
  });
}

function findMade(known: readonly Made[] = [], service: Service, world: ClientWorld): Made | undefined {
  return known.find((made) => made.service === service && stillAnswers(world, made.asked));
}

function keep(shelf: Shelf, made: Made): void {
  const list = shelf.get(made.service.key);
  if (!list) shelf.set(made.service.key, [made]);
  else if (!list.includes(made)) list.push(made);
}

type Making = {
  readonly service: Service;
  readonly world: ClientWorld;
  readonly known: readonly (readonly Made[] | undefined)[];
  readonly old: ServiceView | undefined;
};

/** Other questions may lead to the same view: then it is the same by reference too. */
function make({ service, world, known, old }: Making): Made {
  const { world: asking, asked } = tracked<ClientWorld>(world);
  const { view, problems } = buildServiceView(service, asking);
  const equal = known.flatMap((shelf) => shelf ?? []).find((made) => deepEqual(made.view, view));
  return { service, asked, view: equal?.view ?? reuse(old, view), problems };
}

const nobody: readonly never[] = [];

type Client = {
  readonly namespace: string;
  readonly settings: MeshSettings;
  readonly merged: (
    rules: ReturnType<typeof findDestinationRules>,
  ) => ReturnType<typeof mergeDestinationRules>;
};

function createWorld(input: ClientSources, { namespace, settings, merged }: Client): ClientWorld {
  const { names, services, routes, virtualServices, destinationRules, plaintext } = input;
  return {
    service: (host) => {
      const read = names.find(host);
      return read && services.get(read.key);
    },
    hidden: (host) => {
      const read = names.find(host);
      return read !== undefined && !isVisible(read.visibility, namespace);
    },
    missing: names.missing,
    httpRoutes: (port) =>
      routes.consumers.get(`${namespace} ${port}`) ?? routes.producers.get(port) ?? nobody,
    virtualService: (host) => findVirtualService(virtualServices, host, namespace),
    destinationRule: (host) => {
      const owner = names.find(host)?.namespace ?? '';
      const root = settings.rootNamespace;
      const found = findDestinationRules(destinationRules, { host, client: namespace, owner, root });
      return found.length > 0 ? merged(found) : undefined;
    },
    isClient: (name) => name === namespace,
    plaintext: (port) => plaintext.has(port),
  };
}
