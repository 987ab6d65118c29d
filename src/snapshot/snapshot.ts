/**
 * What one proxy shall have at one moment, as bytes.
 *
 * Lists of Envoy messages come in; a `Snapshot` of encoded, versioned, shared resources goes out, and what differs
 * between two of them. Nothing here knows what a resource means, who asks for it, or how it travels.
 */
import { hash } from 'node:crypto';
import type { DescMessage } from '@bufbuild/protobuf';
import { ClusterSchema } from '../../gen/envoy/config/cluster/v3/cluster_pb.ts';
import { ClusterLoadAssignmentSchema } from '../../gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '../../gen/envoy/config/listener/v3/listener_pb.ts';
import { RouteConfigurationSchema } from '../../gen/envoy/config/route/v3/route_pb.ts';
import { SecretSchema } from '../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { encodeCanonical } from '../base/canonical.ts';
import type { ObjectRef } from '../model/object-ref.ts';
import { framed } from './frame.ts';
import { createInterner, type Interner } from './intern.ts';
import { createLayer, type Layer, layerDifference } from './layer.ts';
import type { EnvoyResource, Resource, ResourceList, ResourceType } from './resource.ts';

export { createInterner, type Interner } from './intern.ts';
export type { Layer } from './layer.ts';
export { checkReferences, type ReferenceProblem, references } from './references.ts';

/**
 * Immutable; made of layers that other snapshots share by reference. Of two resources with one type and name the
 * one in the earlier layer counts; `checkReferences` tells of the other.
 */
export type Snapshot = {
  readonly layers: readonly Layer[];
  readonly get: (type: ResourceType, name: string) => Resource | undefined;
  readonly entries: (type: ResourceType) => Iterable<Resource>;
  readonly names: (type: ResourceType) => Iterable<string>;
  readonly size: (type: ResourceType) => number;
};

export type Encoder = {
  /** The same lists by reference give the same snapshot by reference. */
  readonly encode: (lists: readonly ResourceList[]) => Snapshot;
};

const schemas: Readonly<Record<ResourceType, DescMessage>> = {
  secret: SecretSchema,
  cluster: ClusterSchema,
  endpoint: ClusterLoadAssignmentSchema,
  listener: ListenerSchema,
  route: RouteConfigurationSchema,
};

/** Snapshots by their layers, one step a layer, so that proxies with equal lists share the snapshot too. */
type Branch = { readonly snapshot: Snapshot; readonly longer: WeakMap<Layer, Branch> };

export function createEncoder(interner: Interner = createInterner()): Encoder {
  const resources = new WeakMap<EnvoyResource, Resource>();
  const layers = new WeakMap<ResourceList, Layer>();
  const root: Branch = { snapshot: emptySnapshot, longer: new WeakMap() };

  const resourceOf = (source: EnvoyResource): Resource =>
    remembered(resources, source, () => interner.intern(encoded(source)));
  const layerOf = (list: ResourceList): Layer =>
    remembered(layers, list, () => createLayer(list.map(resourceOf)));

  return {
    encode(lists) {
      let branch = root;
      for (const list of lists) {
        const layer = layerOf(list);
        const { layers: before } = branch.snapshot;
        branch = remembered(branch.longer, layer, () => ({
          snapshot: snapshotOfLayers([...before, layer]),
          longer: new WeakMap(),
        }));
      }
      return branch.snapshot;
    },
  };
}

function remembered<K extends object, V>(memory: WeakMap<K, V>, key: K, make: () => V): V {
  const known = memory.get(key);
  if (known !== undefined) return known;
  const made = make();
  memory.set(key, made);
  return made;
}

function encoded({ type, name, message, origin }: EnvoyResource): Omit<Resource, 'frame'> {
  const schema = schemas[type];
  if (message.$typeName !== schema.typeName) {
    throw new Error(
      `${type} ${name} holds a ${message.$typeName}: translate made a resource of the wrong type`,
    );
  }
  const bytes = encodeCanonical(schema, message);
  return { type, name, version: versionOf(bytes), bytes, origin };
}

/** Equal bytes have equal versions on every replica, for ever: a reconnect to any of them costs nothing. */
function versionOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex').slice(0, 16);
}

/** For who gets resources as bytes: the node agent from the control plane, or a test. Copies `bytes`. */
export function resourceFromBytes(
  type: ResourceType,
  name: string,
  bytes: Uint8Array,
  given: { readonly version?: string; readonly origin?: readonly ObjectRef[] } = {},
): Resource {
  return framed({
    type,
    name,
    bytes,
    version: given.version ?? versionOf(bytes),
    origin: given.origin ?? [],
  });
}

/** A snapshot of one layer. */
export function snapshotOf(resources: Iterable<Resource>): Snapshot {
  return snapshotOfLayers([createLayer(resources)]);
}

/** All layers of all of them, in order. */
export function joinSnapshots(...snapshots: readonly Snapshot[]): Snapshot {
  return snapshotOfLayers(snapshots.flatMap(({ layers }) => layers));
}

export const emptySnapshot: Snapshot = snapshotOfLayers([]);

function snapshotOfLayers(layers: readonly Layer[]): Snapshot {
  const get = (type: ResourceType, name: string): Resource | undefined => {
    for (const layer of layers) {
      const found = layer.byType[type].get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const sizes: Partial<Record<ResourceType, number>> = {};
  return {
    layers,
    get,
    entries: (type) => entries(layers, type),
    names: (type) => entries(layers, type).map(({ name }) => name),
    size(type) {
      sizes[type] ??= entries(layers, type).reduce((count) => count + 1, 0);
      return sizes[type];
    },
  };
}

function* entries(layers: readonly Layer[], type: ResourceType): Generator<Resource> {
  const held = layers.map((layer) => layer.byType[type]).filter((map) => map.size > 0);
  for (const [index, map] of held.entries()) {
    const earlier = held.slice(0, index);
    for (const resource of map.values()) {
      if (!earlier.some((layer) => layer.has(resource.name))) yield resource;
    }
  }
}

export type Difference = { readonly upsert: readonly Resource[]; readonly remove: readonly string[] };

/** What brings someone who has `known` (name → version) to the snapshot. */
export function diff(known: ReadonlyMap<string, string>, snapshot: Snapshot, type: ResourceType): Difference {
  return {
    upsert: [...snapshot.entries(type)].filter(({ name, version }) => known.get(name) !== version),
    remove: [...known.keys()].filter((name) => snapshot.get(type, name) === undefined),
  };
}

/**
 * The names whose version differs between two snapshots. Costs as much as the layers that are not shared, and
 * those are compared once per pair, not once per proxy.
 */
export function changes(before: Snapshot, after: Snapshot, type: ResourceType): readonly string[] {
  if (before === after) return [];
  const gone = before.layers.filter((layer) => !after.layers.includes(layer));
  const fresh = after.layers.filter((layer) => !before.layers.includes(layer));
  const maybe = new Set<string>();
  for (let index = 0; index < Math.max(gone.length, fresh.length); index++) {
    const [old, young] = [gone[index] ?? emptyLayer, fresh[index] ?? emptyLayer];
    for (const name of layerDifference(old, young)[type]) maybe.add(name);
  }
  // A layer that moved past another may uncover other duplicates of its names.
  for (const layer of moved(before, after)) for (const name of layer.byType[type].keys()) maybe.add(name);
  return [...maybe].filter((name) => before.get(type, name)?.version !== after.get(type, name)?.version);
}

const emptyLayer: Layer = createLayer([]);

function moved(before: Snapshot, after: Snapshot): readonly Layer[] {
  const old = before.layers.filter((layer) => after.layers.includes(layer));
  const young = after.layers.filter((layer) => before.layers.includes(layer));
  return young.every((layer, index) => layer === old[index]) ? [] : young;
}
