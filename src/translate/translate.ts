/**
 * Turns the model into Envoy's messages for one workload's sidecar. In: a mesh and the workload's key. Out: lists of
 * resources, shared by reference between all proxies whose inputs are equal, and what could not be translated. It knows
 * no Kubernetes, encodes nothing, and has no memory that a result could depend on: what it remembers is remembered by
 * the (immutable) part of the model it was made from, and forgotten with it.
 */

import type { Mesh, MeshSettings } from '../model/mesh.ts';
import type { WorkloadKey } from '../model/names.ts';
import type { Problem } from '../model/problem.ts';
import type { ResourceList } from '../snapshot/resource.ts';
import { fixedClusterResources } from './fixed-clusters.ts';
import { createInbound, type Inbound } from './inbound.ts';
import { keptBy } from './memo.ts';
import { createOutbound, type Outbound } from './outbound.ts';
import { readyListener } from './ready-listener.ts';
import { selfOf } from './stats-tags.ts';

export { undefinedCluster } from './names.ts';

export type Translation = {
  readonly lists: readonly ResourceList[];
  readonly problems: readonly Problem[];
};

export type Translator = {
  /** A workload that the mesh does not know, or that has no sidecar, gets nothing. */
  readonly translate: (mesh: Mesh, workload: WorkloadKey) => Translation;
};

const everySidecar: ResourceList = [...fixedClusterResources, readyListener];

export function createTranslator(): Translator {
  const forSettings = keptBy((settings: MeshSettings) => ({
    outbound: createOutbound(settings),
    inbound: createInbound(settings),
  }));
  return {
    translate: (mesh, workload) => translate(mesh, workload, forSettings(mesh.settings)),
  };
}

function translate(
  mesh: Mesh,
  key: WorkloadKey,
  { outbound, inbound }: { readonly outbound: Outbound; readonly inbound: Inbound },
): Translation {
  const workload = mesh.workloads.get(key);
  const client = workload && mesh.clients.get(workload.namespace);
  const view = mesh.inbound.get(key);
  if (workload === undefined || client === undefined || view === undefined)
    return { lists: [], problems: [] };
  const self = selfOf(workload);
  const parts = [
    outbound.clusters(client.services),
    outbound.endpoints(client.services, mesh.endpoints),
    outbound.listeners(client.services, self),
    outbound.routes(client.services),
    inbound.clusters(view, workload),
    inbound.listener(view, self, workload),
  ];
  return {
    lists: [everySidecar, ...parts.map((part) => part.resources)],
    problems: withoutDoubles(parts.flatMap((part) => part.problems)),
  };
}

/** One policy shapes many chains; its fault is told once. */
function withoutDoubles(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [`${problem.field} ${problem.message}`, problem])).values()];
}
