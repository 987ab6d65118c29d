import { type ObjectRef, refKey } from '../model/object-ref.ts';

/** One resource that a proxy should have. */
export type WantedResource = {
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly origin: readonly ObjectRef[];
};

/** Resources that many proxies want, by type and name; immutable and shared by reference. */
export type WantedLayer = {
  readonly byType: Readonly<Record<string, ReadonlyMap<string, WantedResource>>>;
};

/** All that a proxy should have. A snapshot has this form. */
export type WantedSet = { readonly layers: readonly WantedLayer[] };

/** What identifies a resource. */
export type Named = { readonly type: string; readonly name: string };

export function keyOf({ type, name }: Named): string {
  return `${type}|${name}`;
}

/** The first counts, as in a snapshot. */
export function wantedIn({ layers }: WantedSet, { type, name }: Named): WantedResource | undefined {
  for (const layer of layers) {
    const found = layer.byType[type]?.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

export function* resourcesIn({ layers }: WantedSet): Generator<WantedResource> {
  for (const layer of layers) for (const ofType of Object.values(layer.byType)) yield* ofType.values();
}

/** Whether anything of it came from the object. */
export function needs({ layers }: WantedSet, key: string): boolean {
  return layers.some((layer) => objectsOf(layer).has(key));
}

const objectsByLayer = new WeakMap<WantedLayer, ReadonlySet<string>>();
function objectsOf(layer: WantedLayer): ReadonlySet<string> {
  const known = objectsByLayer.get(layer);
  if (known) return known;
  const objects = new Set([...resourcesIn({ layers: [layer] })].flatMap(({ origin }) => keysOf(origin)));
  objectsByLayer.set(layer, objects);
  return objects;
}

/** Origins are shared by reference among the proxies that share a resource; so are their keys. */
const keysByOrigin = new WeakMap<readonly ObjectRef[], readonly string[]>();
export function keysOf(origin: readonly ObjectRef[] = nobody): readonly string[] {
  const known = keysByOrigin.get(origin);
  if (known) return known;
  const keys = [...new Set(origin.map(refKey))];
  keysByOrigin.set(origin, keys);
  return keys;
}

const nobody: readonly ObjectRef[] = [];

/**
 * The resources of the layers that the two sets do not share, where those differ. Each pair of layers is compared once,
 * whoever asks.
 */
export function differences(before: WantedSet, after: WantedSet): Iterable<Named> {
  const gone = before.layers.filter((layer) => !after.layers.includes(layer));
  const come = after.layers.filter((layer) => !before.layers.includes(layer));
  const pairs = Array.from({ length: Math.max(gone.length, come.length) }, (_, index) =>
    layerDifference(gone[index] ?? noLayer, come[index] ?? noLayer),
  );
  if (pairs.length < 2) return pairs[0] ?? [];
  return new Map(pairs.flat().map((named) => [keyOf(named), named])).values();
}

const noLayer: WantedLayer = { byType: {} };
const layerDifferences = new WeakMap<WantedLayer, WeakMap<WantedLayer, readonly Named[]>>();

function layerDifference(before: WantedLayer, after: WantedLayer): readonly Named[] {
  const known = layerDifferences.get(before) ?? new WeakMap<WantedLayer, readonly Named[]>();
  layerDifferences.set(before, known);
  const found = known.get(after) ?? compareLayers(before, after);
  known.set(after, found);
  return found;
}

function compareLayers(before: WantedLayer, after: WantedLayer): readonly Named[] {
  const old = [...resourcesIn({ layers: [before] })];
  const fresh = [...resourcesIn({ layers: [after] })];
  return [
    ...fresh.filter(({ type, name }) => before.byType[type]?.get(name) !== after.byType[type]?.get(name)),
    ...old.filter(({ type, name }) => after.byType[type]?.get(name) === undefined),
  ].map(({ type, name }) => ({ type, name }));
}

export function sizeOf({ layers }: WantedSet): number {
  return layers.flatMap(({ byType }) => Object.values(byType)).reduce((sum, { size }) => sum + size, 0);
}
