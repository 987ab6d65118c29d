import { compareStrings, stableJson } from '../base/sorted.ts';
import { endpointsKey, type Mesh, type MeshSettings } from '../model/mesh.ts';
import type { ServiceKey } from '../model/names.ts';
import { refKey } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import { createClients } from './clients.ts';
import { indexDestinationRules } from './destination-rule.ts';
import { attachRoutes, type RouteIndex } from './http-route-parent.ts';
import { createInbounds } from './inbounds.ts';
import { createReader, type ObjectView, type ReadObjects } from './objects.ts';
import { reportPeerConflicts } from './peer-authentication.ts';
import { createReports } from './problems.ts';
import { keepMap, reuse } from './remember.ts';
import {
  destinationRuleConflicts,
  reportDestinationRules,
  reportHttpOnTcp,
  reportSelectors,
} from './selections.ts';
import { buildTopology, nameServices, type ServiceNames } from './topology.ts';
import { indexVirtualServices, reportHosts } from './virtual-service-host.ts';

/**
 * Kubernetes objects in, the mesh out. This room finds what every name refers to, who goes first where two objects
 * speak of one thing, and what stands in for what cannot be done; it never sees Envoy, a clock or a network.
 *
 * Mistakes come out beside the mesh as problems, and never throw. An `error` says that a field does not do what it
 * says and its safe substitute acts: a rule or backend answers 500, a policy denies, a number is left out. An error
 * with the field `''` refuses its whole object. A `warning` says that the field acts, but hardly as meant.
 */
export type Resolved = { readonly mesh: Mesh; readonly problems: readonly Problem[] };

/** The result depends on the view alone; what is unchanged since the last view keeps its reference. */
export type Resolver = { readonly resolve: (view: ObjectView) => Resolved };

export type { ObjectView };

export function createResolver(settings: MeshSettings): Resolver {
  const read = createReader(settings);
  const inboundsOf = createInbounds(settings);
  const clientsOf = createClients(settings);
  let last: (Resolved & { readonly routes: RouteIndex }) | undefined;
  const resolve = (view: ObjectView): Resolved => {
    const objects = read(view);
    const reports = createReports();
    const names = nameServices(objects.services, settings);
    const routes = attachRoutes(objects.httpRoutes, { ...names, reports }, last?.routes);
    const topology = buildTopology(objects, names, {
      httpPorts: httpPortsOf(names, routes),
      last: last?.mesh,
    });
    const inbounds = inboundsOf({ objects, topology, last: last?.mesh.inbound, reports });
    const virtualServices = indexVirtualServices(objects.virtualServices);
    const destinationRules = indexDestinationRules(objects.destinationRules);
    const { plaintext, groups } = inbounds;
    const clients = clientsOf(
      { topology, routes, virtualServices, destinationRules, plaintext },
      last?.mesh.clients,
    );
    reportHosts(objects.virtualServices, { ...names, services: names.reads, reports });
    reportDestinationRules(objects.destinationRules, topology, reports);
    reportPeerConflicts(
      objects.peerAuthentications,
      groups.map(({ pod }) => pod),
      reports,
    );
    reportSelectors(objects, { groups, root: settings.rootNamespace }, reports);
    reportHttpOnTcp(groups, reports);
    const problems = arrange([
      ...ownProblems(objects),
      ...destinationRuleConflicts(objects.destinationRules),
      ...clients.problems,
      ...reports.all(),
    ]);
    const mesh = keepMesh(last?.mesh, {
      settings,
      services: topology.services,
      workloads: topology.workloads,
      endpoints: topology.endpoints,
      clients: keepMap(last?.mesh.clients, clients.views),
      inbound: keepMap(last?.mesh.inbound, inbounds.views),
    });
    last = { mesh, problems: reuse(last?.problems, problems), routes };
    return { mesh: last.mesh, problems: last.problems };
  };
  return { resolve };
}

/** Ports that carry HTTP because their owner routes HTTP on them. A stranger's route says so for the stranger only. */
function httpPortsOf(
  { reads }: ServiceNames,
  { producers }: RouteIndex,
): (key: ServiceKey) => ReadonlySet<number> {
  const ports = new Map(
    reads.map(({ key, ports: all }) => [
      key,
      new Set(all.map(({ number }) => number).filter((number) => producers.has(endpointsKey(key, number)))),
    ]),
  );
  return (key) => ports.get(key) ?? new Set();
}

function ownProblems(objects: ReadObjects): Problem[] {
  const {
    services,
    httpRoutes,
    virtualServices,
    destinationRules,
    peerAuthentications,
    authorizationPolicies,
  } = objects;
  const all = [
    services,
    httpRoutes,
    virtualServices,
    destinationRules,
    peerAuthentications,
    authorizationPolicies,
  ];
  return all.flatMap((kind) => kind.flatMap(({ problems }) => problems));
}

/** Each once, by object, field and code: the order that they were found in means nothing. */
function arrange(problems: readonly Problem[]): readonly Problem[] {
  const key = (problem: Problem): string =>
    `${refKey(problem.ref)}\n${problem.field}\n${problem.code}\n${stableJson(problem)}`;
  const once = new Map(problems.map((problem) => [key(problem), problem]));
  return [...once].sort(([a], [b]) => compareStrings(a, b)).map(([, problem]) => problem);
}

function keepMesh(last: Mesh | undefined, next: Mesh): Mesh {
  if (!last) return next;
  const { services, workloads, endpoints, clients, inbound } = next;
  const same =
    last.services === services &&
    last.workloads === workloads &&
    last.endpoints === endpoints &&
    last.clients === clients &&
    last.inbound === inbound;
  return same ? last : next;
}
