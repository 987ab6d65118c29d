import { nearestWord } from '../base/nearest.ts';
import { endpointsKey, type Mesh, type MeshSettings } from '../model/mesh.ts';
import type { ServiceKey, SpiffeId } from '../model/names.ts';
import type { ServiceEndpoints, Workload } from '../model/service.ts';
import { type ReadSlice, serviceEndpoints, type WorkloadFinder } from './endpoint-slice.ts';
import { reuseMap, sameItems } from './remember.ts';
import { indexLabels } from './selector.ts';
import { type ReadService, toService } from './service.ts';
import type { ReadPod } from './workload.ts';

/** Services by name: what references are looked up in, before anything is known of workloads and routes. */
export type ServiceNames = {
  /** Oldest first; without aliases of other names. */
  readonly reads: readonly ReadService[];
  /** By host. */
  readonly find: (host: string) => ReadService | undefined;
  /** Why there is no service of that host, for a message. */
  readonly missing: (host: string) => string;
};
/** What each Service selects. */
export type Selected = ReadonlyMap<ServiceKey, readonly ReadPod[]>;
type Workloads = Mesh['workloads'];
type Services = Mesh['services'];

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

type Pods = { readonly pods: readonly ReadPod[] };

export function buildWorkloads({ pods }: Pods, last: Workloads | undefined): Workloads {
  return reuseMap(last, new Map(pods.map(({ workload }) => [workload.key, workload])));
}

export function selectPods({ reads, pods }: Pods & Pick<ServiceNames, 'reads'>): Selected {
  const index = indexLabels(pods);
  const select = ({ namespace, selector }: ReadService): readonly ReadPod[] =>
    selector ? index.select(namespace, selector) : [];
  return new Map(reads.map((read) => [read.key, select(read)]));
}

type ServiceInput = EndpointInput & {
  readonly reads: readonly ReadService[];
  readonly selected: Selected;
  /** Ports with the owner's routes, by `endpointsKey`. A stranger's route says nothing about a port but to the stranger. */
  readonly producers: ReadonlyMap<string, unknown>;
};

export function buildServices(input: ServiceInput, last: Services | undefined): Services {
  const { reads, selected, producers } = input;
  const slices = Map.groupBy(input.slices, ({ service }) => service);
  const find = finder(input);
  const identities = (read: ReadService): SpiffeId[] =>
    read.selector
      ? (selected.get(read.key) ?? []).map(({ workload }) => workload.identity)
      : slicedIdentities(slices.get(read.key) ?? [], find);
  const httpPorts = ({ key, ports }: ReadService): ReadonlySet<number> =>
    new Set(ports.map(({ number }) => number).filter((number) => producers.has(endpointsKey(key, number))));
  return reuseMap(
    last,
    new Map(reads.map((read) => [read.key, toService(read, identities(read), httpPorts(read))])),
  );
}

type EndpointInput = Pods & { readonly slices: readonly ReadSlice[]; readonly workloads: Workloads };

/** Slices of Services without a selector: only they say whose identities stand behind one. */
export function listManualSlices(
  { slices, reads }: Pick<EndpointInput, 'slices'> & Pick<ServiceNames, 'reads'>,
  last: readonly ReadSlice[] | undefined,
): readonly ReadSlice[] {
  const manual = new Set<string>(reads.filter(({ selector }) => !selector).map(({ key }) => key));
  const found = slices.filter(({ service }) => manual.has(service));
  return last && sameItems(last, found) ? last : found;
}

type AllEndpoints = EndpointInput & { readonly services: Services };

/** Endpoints change most of all: what one slice changed costs one service. */
export function createEndpoints(): (
  input: AllEndpoints,
  last: Mesh['endpoints'] | undefined,
) => Mesh['endpoints'] {
  let before: { readonly input: AllEndpoints; readonly slices: SlicesByService } | undefined;
  return (input, last) => {
    const slices = Map.groupBy(input.slices, ({ service }) => service);
    const find = finder(input);
    const sameWorkloads = before?.input.pods === input.pods && before.input.workloads === input.workloads;
    const fresh = new Map<string, ServiceEndpoints>();
    for (const service of input.services.values()) {
      const own = slices.get(service.key) ?? [];
      const same =
        sameWorkloads &&
        before?.input.services.get(service.key) === service &&
        sameItems(before.slices.get(service.key) ?? [], own);
      for (const port of service.ports) {
        const key = endpointsKey(service.key, port.number);
        const known = same ? last?.get(key) : undefined;
        fresh.set(key, known ?? serviceEndpoints({ service, port, slices: own, find }));
      }
    }
    before = { input, slices };
    return reuseMap(last, fresh);
  };
}

type SlicesByService = ReadonlyMap<string, readonly ReadSlice[]>;

/** By the Pod that a slice names; else by address, where an address is one Pod's own. */
function finder({ pods, workloads }: EndpointInput): WorkloadFinder {
  const byAddress = new Map(
    pods
      .filter(({ hostNetwork }) => !hostNetwork)
      .flatMap(({ workload }) => workload.addresses.map((address) => [address, workload.key] as const)),
  );
  // What a slice calls a Pod is a key only if such a Pod is known.
  const byName: ReadonlyMap<string, Workload> = workloads;
  return ({ address, pod }) => byName.get(pod) ?? byName.get(byAddress.get(address) ?? '');
}

/** A Service without selector still has workloads behind it when its slices name their addresses. */
function slicedIdentities(slices: readonly ReadSlice[], find: WorkloadFinder): SpiffeId[] {
  return slices
    .flatMap(({ addresses }) => addresses.map(find))
    .flatMap((workload) => (workload ? [workload.identity] : []));
}
