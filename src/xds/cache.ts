import type { Resource, ResourceType } from '../snapshot/resource.ts';
import {
  emptySnapshot,
  type Interner,
  joinSnapshots,
  type Snapshot,
  snapshotOf,
} from '../snapshot/snapshot.ts';
import type { ReadResponse } from './wire.ts';

/** Types that a node agent asks for; secrets it makes itself. */
export type RelayedType = Exclude<ResourceType, 'secret'>;
export const relayedTypes: readonly RelayedType[] = ['cluster', 'endpoint', 'listener', 'route'];

/** How the letter of a response is answered: all good, or what was bad and why. */
export type Outcome = { readonly errors: ReadonlyMap<string, string> };

type Entry = { readonly resource: Resource; settled: boolean };

/** What a node agent has of one workload's resources. Survives its streams. */
export type Cache = {
  readonly snapshot: () => Snapshot;
  /** Every type has been answered in full, once. */
  readonly complete: () => boolean;
  /**
   * name → version, to be said on a new stream. Only what its Envoy has acknowledged: the rest comes again, and
   * with it another letter to answer, so that the control plane never believes more than is so.
   */
  readonly settledVersions: (type: RelayedType) => ReadonlyMap<string, string>;
  readonly newStream: () => void;
  readonly apply: (type: RelayedType, response: ReadResponse) => readonly Resource[];
  readonly settle: (type: RelayedType, resources: readonly Resource[], outcome: Outcome) => void;
};

export function createCache(interner: Interner): Cache {
  const entries: Record<RelayedType, Map<string, Entry>> = ofEachType(() => new Map());
  const snapshots = ofEachType(() => emptySnapshot);
  const answered = new Set<RelayedType>();
  /** Per type, what was said to be there when the stream began, and what has come since; until the first full set. */
  let confirmed: Partial<Record<RelayedType, Set<string>>> = {};
  let merged = emptySnapshot;

  const refresh = (type: RelayedType): void => {
    snapshots[type] = snapshotOf([...entries[type].values()].map(({ resource }) => resource));
    merged = joinSnapshots(...relayedTypes.map((type) => snapshots[type]));
  };

  return {
    snapshot: () => merged,
    complete: () => relayedTypes.every((type) => answered.has(type)),
    settledVersions: (type) => settledVersions(entries[type]),
    newStream() {
      confirmed = ofEachType((type) => new Set(settledVersions(entries[type]).keys()));
    },
    apply(type, response) {
      const resources = response.resources.map((one) => interner.intern({ type, ...one, origin: [] }));
      for (const resource of resources) {
        entries[type].set(resource.name, { resource, settled: false });
        confirmed[type]?.add(resource.name);
      }
      for (const name of response.removed) entries[type].delete(name);
      if (response.complete) {
        answered.add(type);
        forgetUnconfirmed(entries[type], confirmed[type]);
        delete confirmed[type];
      }
      refresh(type);
      return resources;
    },
    settle(type, resources, { errors }) {
      for (const { name, version } of resources) {
        const entry = entries[type].get(name);
        if (entry?.resource.version === version) entry.settled = !errors.has(name);
      }
    },
  };
}

function ofEachType<T>(make: (type: RelayedType) => T): Record<RelayedType, T> {
  return {
    cluster: make('cluster'),
    endpoint: make('endpoint'),
    listener: make('listener'),
    route: make('route'),
  };
}

function settledVersions(entries: ReadonlyMap<string, Entry>): Map<string, string> {
  const settled = [...entries].filter(([, entry]) => entry.settled);
  return new Map(settled.map(([name, { resource }]) => [name, resource.version]));
}

/** What was not said to be there and has not come again has gone away in the meantime. */
function forgetUnconfirmed(entries: Map<string, Entry>, confirmed: ReadonlySet<string> | undefined): void {
  if (confirmed === undefined) return;
  for (const name of entries.keys()) if (!confirmed.has(name)) entries.delete(name);
}
