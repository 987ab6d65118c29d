import { type Resource, type ResourceType, resourceTypes } from './resource.ts';

/** One list of resources, encoded: by type and name. Immutable, and shared by every snapshot that holds the list. */
export type Layer = {
  readonly byType: Readonly<Record<ResourceType, ReadonlyMap<string, Resource>>>;
  /** Resources whose type and name an earlier one in the same list has. */
  readonly duplicates: readonly Resource[];
};

export function createLayer(resources: Iterable<Resource>): Layer {
  const byType: Record<ResourceType, Map<string, Resource>> = {
    secret: new Map(),
    cluster: new Map(),
    endpoint: new Map(),
    listener: new Map(),
    route: new Map(),
  };
  const duplicates: Resource[] = [];
  for (const resource of resources) {
    const ofType = byType[resource.type];
    if (ofType.has(resource.name)) duplicates.push(resource);
    else ofType.set(resource.name, resource);
  }
  return { byType, duplicates };
}

type NamesByType = Readonly<Record<ResourceType, readonly string[]>>;
const differences = new WeakMap<Layer, WeakMap<Layer, NamesByType>>();

/** Names whose version is not the same in both, worked out once per pair, whoever asks. */
export function layerDifference(before: Layer, after: Layer): NamesByType {
  let toOthers = differences.get(before);
  if (toOthers === undefined) {
    toOthers = new WeakMap();
    differences.set(before, toOthers);
  }
  let found = toOthers.get(after);
  if (found === undefined) {
    found = compare(before, after);
    toOthers.set(after, found);
  }
  return found;
}

function compare(before: Layer, after: Layer): NamesByType {
  const names: Record<ResourceType, string[]> = {
    secret: [],
    cluster: [],
    endpoint: [],
    listener: [],
    route: [],
  };
  for (const type of resourceTypes) {
    const [old, fresh] = [before.byType[type], after.byType[type]];
    for (const [name, resource] of fresh) {
      if (old.get(name)?.version !== resource.version) names[type].push(name);
    }
    for (const name of old.keys()) if (!fresh.has(name)) names[type].push(name);
  }
  return names;
}
