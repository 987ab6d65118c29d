import { nearestWord } from '../base/nearest.ts';
import { endpointsKey, type Mesh, type MeshSettings } from '../model/mesh.ts';
import type { ServiceKey, SpiffeId, WorkloadKey } from '../model/names.ts';
import type { Service, ServiceEndpoints, Workload } from '../model/service.ts';
import { type ReadSlice, serviceEndpoints, type WorkloadFinder } from './endpoint-slice.ts';
import type { ReadObjects } from './objects.ts';
import { reuseMap } from './remember.ts';
import { indexLabels } from './selector.ts';
import { type ReadService, toService } from './service.ts';
import type { ReadPod } from './workload.ts';

/** Who is there: names and addresses, before any rule. */
export type Topology = Pick<Mesh, 'services' | 'workloads' | 'endpoints'> & {
  /** Oldest first; without aliases of other names. */
  readonly reads: readonly ReadService[];
  readonly find: (host: string) => ReadService | undefined;
  /** Why there is no service of that host, for a message. */
  readonly missing: (host: string) => string;
  /** What each Service selects. */
  readonly selected: ReadonlyMap<ServiceKey, readonly ReadPod[]>;
};

/** Names first: routes attach to them, and only then is it known what a silent port speaks. */
export type ServiceNames = Pick<Topology, 'reads' | 'find' | 'missing'>;

export function nameServices(
  services: readonly ReadService[],
  { clusterDomain }: MeshSettings,
): ServiceNames {
  const byHost = new Map(services.map((read) => [read.host, read]));
  const reads = services.filter(({ external }) => !external);
  return {
    reads,
    find: (host) => {
      const read = byHost.get(host);
      return read?.external ? undefined : read;
    },
    missing: (host) => {
      const external = byHost.get(host);
      if (external) {
        return `Service ${external.namespace}/${external.name} is of type ExternalName, which is not supported yet`;
      }
      const full = `${host}.svc.${clusterDomain}`;
      const dotted = byHost.has(full)
        ? `; a name with a dot is taken as written, did you mean \`${full}\`?`
        : '';
      const near = dotted ? undefined : byHost.get(nearestWord(host, byHost.keys()) ?? '');
      const meant = near ? `; did you mean \`${near.namespace}/${near.name}\`?` : dotted;
      return `there is no such Service${meant}`;
    },
  };
}

type HttpPorts = (key: ServiceKey) => ReadonlySet<number> | undefined;

export function buildTopology(
  objects: Pick<ReadObjects, 'pods' | 'slices'>,
  names: ServiceNames,
  { httpPorts, last }: { readonly httpPorts: HttpPorts; readonly last: Mesh | undefined },
): Topology {
  const { pods } = objects;
  const fresh = new Map(pods.map(({ workload }) => [workload.key, workload]));
  const workloads = reuseMap<WorkloadKey, Workload>(last?.workloads, fresh);
  const labelled = indexLabels(pods);
  const selected = new Map(
    names.reads.map((read) => [
      read.key,
      read.selector ? labelled.select(read.namespace, read.selector) : [],
    ]),
  );
  const slices = Map.groupBy(objects.slices, ({ service }) => service);
  const find = finder(pods, workloads);
  const identities = (read: ReadService): SpiffeId[] =>
    read.selector
      ? (selected.get(read.key) ?? []).map(({ workload }) => workload.identity)
      : slicedIdentities(slices.get(read.key) ?? [], find);
  const services = reuseMap<ServiceKey, Service>(
    last?.services,
    new Map(names.reads.map((read) => [read.key, toService(read, identities(read), httpPorts(read.key))])),
  );
  const endpoints = reuseMap<string, ServiceEndpoints>(
    last?.endpoints,
    new Map(listEndpoints(services, slices, find)),
  );
  return { ...names, services, workloads, endpoints, selected };
}

/** By the Pod that a slice names; else by address, where an address is one Pod's own. */
function finder(pods: readonly ReadPod[], workloads: ReadonlyMap<string, Workload>): WorkloadFinder {
  const byAddress = new Map(
    pods
      .filter(({ hostNetwork }) => !hostNetwork)
      .flatMap(({ workload }) => workload.addresses.map((address) => [address, workload.key] as const)),
  );
  return ({ address, pod }) => workloads.get(pod) ?? workloads.get(byAddress.get(address) ?? '');
}

/** A Service without selector still has workloads behind it when its slices name their addresses. */
function slicedIdentities(slices: readonly ReadSlice[], find: WorkloadFinder): SpiffeId[] {
  return slices
    .flatMap(({ addresses }) => addresses.map(find))
    .flatMap((workload) => (workload ? [workload.identity] : []));
}

function listEndpoints(
  services: ReadonlyMap<ServiceKey, Service>,
  slices: ReadonlyMap<string, readonly ReadSlice[]>,
  find: WorkloadFinder,
): [string, ServiceEndpoints][] {
  return [...services.values()].flatMap((service) =>
    service.ports.map((port): [string, ServiceEndpoints] => [
      endpointsKey(service.key, port.number),
      serviceEndpoints(service, port, slices.get(service.key) ?? [], find),
    ]),
  );
}
