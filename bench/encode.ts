/**
 * B9: what it costs to turn Envoy messages into what travels, against protobuf-es alone on the same messages; and how
 * much is encoded and sent when one endpoint or one route changes for many proxies.
 */
import { type DescMessage, toBinary } from '@bufbuild/protobuf';
import { registry } from '../gen/registry.ts';
import { defaultSettings, type Mesh } from '../src/model/mesh.ts';
import type { WorkloadKey } from '../src/model/names.ts';
import { createResolver } from '../src/resolve/resolve.ts';
import {
  type EnvoyResource,
  type Resource,
  type ResourceList,
  type ResourceType,
  resourceTypes,
  typeUrls,
} from '../src/snapshot/resource.ts';
import { changes, createEncoder, createInterner, type Snapshot } from '../src/snapshot/snapshot.ts';
import type { ObjectsByKind } from '../src/sources/specs.ts';
import { createStore } from '../src/store/store.ts';
import { createTranslator } from '../src/translate/translate.ts';
import { type Manifest, meshOf, objectsOf, routeOf, sliceOf } from './support/manifests.ts';
import { inTurns, median, printTable, type Row, ratio, show } from './support/measure.ts';

const pods = 10;

export async function run(): Promise<void> {
  const mesh = createMesh(100);
  printTable('B9 encode: one resource into a framed, versioned one, against protobuf-es toBinary', [
    ...(await encodings(mesh)),
  ]);
  printTable(`B9 one change: what is encoded for all, and what travels to each (${mesh.size} workloads)`, [
    ...[1, 100, 1000].flatMap((proxies) => oneChange(mesh, proxies)),
  ]);
}

async function encodings(mesh: MeshUnderTest): Promise<Row[]> {
  const resources = mesh.lists(mesh.workload(0)).flat();
  const rows: Row[] = [];
  for (const type of ['cluster', 'endpoint', 'listener', 'route'] as const) {
    const measured = await encoding(type, ofType(resources, type));
    rows.push(row(type, measured, 1));
    if (type === 'endpoint') rows.push(row(`  of which one endpoint`, measured, pods));
  }
  return rows;
}

type Measured = {
  readonly bytes: number;
  readonly ours: readonly number[];
  readonly floor: readonly number[];
};

function row(resource: string, { bytes, ours, floor }: Measured, parts: number): Row {
  return {
    resource,
    bytes: show(bytes / parts),
    'ours µs': show(median(ours) / parts),
    'toBinary µs': show(median(floor) / parts),
    ratio: show(ratio(ours, floor)),
  };
}

function ofType(resources: ResourceList, type: ResourceType): ResourceList {
  // The few that have no endpoints or routes behind them are not what anyone means.
  const name = { secret: '', cluster: 'outbound', endpoint: 'outbound', listener: '10.', route: '' }[type];
  return resources.filter((one) => one.type === type && one.name.startsWith(name));
}

/** Fresh wrappers for each turn, or the encoder would remember the messages. */
async function encoding(type: ResourceType, list: ResourceList): Promise<Measured> {
  const schema = registry.getMessage(typeUrls[type].split('/')[1] ?? '');
  if (schema === undefined) throw new Error(`no schema for ${type}`);
  const perResource = (work: () => void): number => {
    const began = performance.now();
    for (let times = 0; times < 5; times++) work();
    return ((performance.now() - began) * 1000) / (5 * list.length);
  };
  const { ours, floor } = await inTurns(
    {
      ours: () => perResource(() => encodeAfresh(list)),
      floor: () => perResource(() => toBinaryAll(schema, list)),
    },
    24,
  );
  // The first turns are the compiler's.
  return {
    bytes: median(encodeAfresh(list).map(({ frame }) => frame.length)),
    ours: ours.slice(8),
    floor: floor.slice(8),
  };
}

function encodeAfresh(list: ResourceList): readonly Resource[] {
  const fresh = list.map((one) => ({ ...one }));
  const snapshot = createEncoder().encode([fresh]);
  return resourceTypes.flatMap((type) => [...snapshot.entries(type)]);
}

function toBinaryAll(schema: DescMessage, list: readonly EnvoyResource[]): void {
  for (const { message } of list) toBinary(schema, message);
}

/** All see all services. What is the same buffer for many is told by reference, not by content. */
function oneChange(mesh: MeshUnderTest, proxies: number): Row[] {
  const workloads = Array.from({ length: proxies }, (_, index) => mesh.workload(index));
  const changed: readonly [string, Manifest, Manifest][] = [
    ['endpoint', sliceOf(0, pods), sliceOf(0, pods - 1)],
    ['route', routeOf(0, 'first'), routeOf(0, 'second')],
  ];
  return changed.map(([what, first, second]) => {
    mesh.apply([first]);
    const before = workloads.map(mesh.snapshot);
    const encodedBefore = mesh.encodings();
    mesh.apply([second]);
    const after = workloads.map(mesh.snapshot);
    const sent = after.map((snapshot, index) => changedResources(before[index] ?? snapshot, snapshot));
    const bytes = sent.flat().reduce((sum, { frame }) => sum + frame.length, 0);
    return {
      change: `one ${what}`,
      proxies,
      encodings: mesh.encodings() - encodedBefore,
      'buffers sent': new Set(sent.flat()).size,
      'bytes to each': show(bytes / proxies),
      'bytes in all': show(bytes),
    };
  });
}

function changedResources(before: Snapshot, after: Snapshot): Resource[] {
  return resourceTypes.flatMap((type) =>
    changes(before, after, type).flatMap((name) => after.get(type, name) ?? []),
  );
}

type MeshUnderTest = ReturnType<typeof createMesh>;

function createMesh(services: number) {
  const store = createStore<ObjectsByKind>();
  const resolver = createResolver(defaultSettings);
  const translator = createTranslator();
  const interner = createInterner();
  let encoded = 0;
  const encoder = createEncoder({
    intern(resource) {
      encoded += 1;
      return interner.intern(resource);
    },
  });
  const resolveWith = (manifests: readonly Manifest[]): Mesh => {
    store.apply(objectsOf(manifests).map((object) => ({ kind: 'applied', object })));
    return resolver.resolve(store.view()).mesh;
  };
  let mesh = resolveWith(meshOf({ services, pods }));
  const workloads = [...mesh.inbound.keys()];
  const lists = (workload: WorkloadKey): readonly ResourceList[] =>
    translator.translate(mesh, workload).lists;
  return {
    size: workloads.length,
    apply: (manifests: readonly Manifest[]): void => {
      mesh = resolveWith(manifests);
    },
    /** Neighbours in number are of different services, so that any few are as mixed as all. */
    workload: (index: number): WorkloadKey => {
      const found = workloads[(index * pods + Math.floor(index / services)) % workloads.length];
      if (found === undefined) throw new Error('the mesh has no workloads');
      return found;
    },
    lists,
    snapshot: (workload: WorkloadKey): Snapshot => encoder.encode(lists(workload)),
    encodings: (): number => encoded,
  };
}
