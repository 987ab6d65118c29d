import { compareStrings, stableJson, uniqueSorted } from '../base/sorted.ts';
import type { Mesh, MeshSettings } from '../model/mesh.ts';
import { refKey } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import { createClients } from './clients.ts';
import { indexDestinationRules } from './destination-rule.ts';
import { attachRoutes } from './http-route-parent.ts';
import { createInbounds } from './inbounds.ts';
import { createReader, type ObjectView, type ReadObjects } from './objects.ts';
import { reuse, sameItems, staged } from './remember.ts';
import { createReview } from './review.ts';
import {
  buildServices,
  buildWorkloads,
  createEndpoints,
  listManualSlices,
  nameServices,
  selectPods,
} from './topology.ts';
import { indexVirtualServices } from './virtual-service-host.ts';

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
  const steps = createSteps(settings);
  let last: Resolved | undefined;
  const resolve = (view: ObjectView): Resolved => {
    const objects = read(view);
    const { mesh, problems } = steps(objects);
    const kept = last && sameItems(Object.values(last.mesh), Object.values(mesh)) ? last.mesh : mesh;
    const arranged = arrange([...ownProblems(objects), ...problems]);
    last = { mesh: kept, problems: reuse(last?.problems, arranged) };
    return last;
  };
  return { resolve };
}

/** The way from objects to mesh. Each step takes only what it looks at, and is taken again only when that changed. */
function createSteps(settings: MeshSettings): (objects: ReadObjects) => Resolved {
  const nameAll = staged(({ services }: Pick<ReadObjects, 'services'>) => nameServices(services, settings));
  const attach = staged(attachRoutes);
  const workloadsOf = staged(buildWorkloads);
  const namespacesOf = staged(listNamespaces);
  const select = staged(selectPods);
  const manualOf = staged(listManualSlices);
  const servicesOf = staged(buildServices);
  const endpointsOf = staged(createEndpoints());
  const inboundsOf = staged(createInbounds(settings));
  const indexVirtual = staged(({ all }: { readonly all: ReadObjects['virtualServices'] }) =>
    indexVirtualServices(all),
  );
  const indexRules = staged(({ all }: { readonly all: ReadObjects['destinationRules'] }) =>
    indexDestinationRules(all),
  );
  const clientsOf = staged(createClients(settings));
  const review = staged(createReview(settings));
  return (objects) => {
    const { pods, slices, httpRoutes, virtualServices, destinationRules } = objects;
    const { peerAuthentications: peers, authorizationPolicies: policies } = objects;
    const names = nameAll({ services: objects.services });
    const { reads } = names;
    const routes = attach({ routes: httpRoutes, names });
    const workloads = workloadsOf({ pods });
    const selected = select({ reads, pods });
    const services = servicesOf({
      reads,
      pods,
      slices: manualOf({ slices, reads }),
      workloads,
      selected,
      producers: routes.producers,
    });
    const inbounds = inboundsOf({ pods, reads, services, selected, peers, policies });
    const clients = clientsOf({
      names,
      services,
      namespaces: namespacesOf({ workloads }),
      routes,
      virtualServices: indexVirtual({ all: virtualServices }),
      destinationRules: indexRules({ all: destinationRules }),
      plaintext: inbounds.plaintext,
    });
    const found = review({ names, selected, virtualServices, destinationRules, peers, policies, inbounds });
    const endpoints = endpointsOf({ services, pods, slices, workloads });
    const mesh = {
      settings,
      services,
      workloads,
      endpoints,
      clients: clients.views,
      inbound: inbounds.views,
    };
    return { mesh, problems: [...routes.problems, ...inbounds.problems, ...clients.problems, ...found] };
  };
}

function listNamespaces(
  { workloads }: Pick<Mesh, 'workloads'>,
  last: readonly string[] | undefined,
): readonly string[] {
  return reuse(last, uniqueSorted(workloads.values().map(({ namespace }) => namespace)));
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
