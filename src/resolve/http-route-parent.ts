import { compareStrings } from '../base/sorted.ts';
import { endpointsKey } from '../model/mesh.ts';
import type { Problem } from '../model/problem.ts';
import type { ReadHttpRoute, ServiceParent } from './http-route.ts';
import { createReports, type Report } from './problems.ts';
import { isHttp } from './protocol.ts';
import { reuseIndex } from './remember.ts';
import type { ReadService } from './service.ts';

/** Which routes are attached where, by `endpointsKey`, oldest first. */
export type RouteIndex = {
  /** Of the Service's own namespace: they act for every client. */
  readonly producers: ReadonlyMap<string, readonly ReadHttpRoute[]>;
  /** Of other namespaces, by `<client namespace> <endpointsKey>`: they act for clients there, instead of the producers. */
  readonly consumers: ReadonlyMap<string, readonly ReadHttpRoute[]>;
  /** Of parents that are not there. */
  readonly problems: readonly Problem[];
};

export type Parents = {
  /** By host. */
  readonly find: (host: string) => ReadService | undefined;
  /** Why there is none, for a message. */
  readonly missing: (host: string) => string;
};

type Input = { readonly routes: readonly ReadHttpRoute[]; readonly names: Parents };

export function attachRoutes({ routes, names }: Input, last: RouteIndex | undefined): RouteIndex {
  const reports = createReports();
  const producers = new Map<string, ReadHttpRoute[]>();
  const consumers = new Map<string, ReadHttpRoute[]>();
  for (const route of routes.toSorted(compareAge)) {
    const places = route.parents.flatMap((parent) => findPlaces(parent, names, reports.on(route.ref)));
    for (const [key, { namespace }] of new Map(places.map((place) => [place.key, place]))) {
      const own = namespace === route.namespace;
      const [index, at] = own ? [producers, key] : [consumers, `${route.namespace} ${key}`];
      index.set(at, [...(index.get(at) ?? []), route]);
    }
  }
  return {
    producers: reuseIndex(last?.producers, producers),
    consumers: reuseIndex(last?.consumers, consumers),
    problems: reports.all(),
  };
}

/** The spec's order among routes: oldest, then `<namespace>/<name>`. Of unknown age is youngest. */
function compareAge(a: ReadHttpRoute, b: ReadHttpRoute): number {
  return (
    Number(a.created === '') - Number(b.created === '') ||
    compareStrings(a.created, b.created) ||
    compareStrings(`${a.ref.namespace}/${a.ref.name}`, `${b.ref.namespace}/${b.ref.name}`)
  );
}

type Place = { readonly key: string; readonly namespace: string };

function findPlaces(parent: ServiceParent, { find, missing }: Parents, report: Report): Place[] {
  const service = find(parent.host);
  const shown = `parent Service ${parent.namespace}/${parent.name}`;
  if (!service) {
    report.error('WEFT-1201', {
      field: parent.field,
      message: `${shown} not found, so the route does not act there: ${missing(parent.host)}`,
      fix: 'name a Service that exists',
      reason: 'NoMatchingParent',
    });
    return [];
  }
  const named = service.ports.filter(
    ({ number, name }) =>
      (parent.port ?? number) === number && (parent.sectionName === undefined || parent.sectionName === name),
  );
  if (named.length === 0) {
    const have = service.ports.map(({ number, name }) => (name === '' ? `${number}` : `${number} (${name})`));
    report.error('WEFT-1202', {
      field: parent.field,
      message: `${shown} has no port ${showWanted(parent)}; ports are ${have.join(', ')}; the route does not act there`,
      fix: 'use one of the ports of the Service, or leave `port` and `sectionName` out for all of them',
      reason: 'NoMatchingParent',
    });
    return [];
  }
  const http = named.filter(({ protocol }) => isHttp(protocol));
  if (http.length < named.length && (http.length === 0 || parent.port !== undefined)) {
    report.error('WEFT-1211', {
      field: parent.field,
      message: `${shown}: port ${named.map(({ number }) => number).join(', ')} is declared as ${named[0]?.protocol}, and an HTTPRoute needs HTTP; the route does not act there`,
      fix: 'set `appProtocol: http` on the port of the Service, if it speaks HTTP',
      reason: 'NoMatchingParent',
    });
  }
  return http.map(({ number }) => ({ key: endpointsKey(service.key, number), namespace: service.namespace }));
}

function showWanted({ port, sectionName }: ServiceParent): string {
  const name = sectionName === undefined ? '' : `named \`${sectionName}\``;
  return port === undefined ? name : name === '' ? `${port}` : `${port} ${name}`;
}
