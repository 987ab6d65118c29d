import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { ObjectRef } from '../model/object-ref.ts';
import type { Resource, ResourceType } from './resource.ts';
import type { Snapshot } from './snapshot.ts';

/** Names of other resources that a resource needs to work. */
export type References = {
  readonly cluster: readonly string[];
  readonly endpoint: readonly string[];
  readonly route: readonly string[];
};

export type ReferenceProblem = {
  readonly kind: 'missing' | 'duplicate';
  readonly type: ResourceType;
  readonly name: string;
  /** Who names it; for a duplicate, the resource that does not count. */
  readonly from: {
    readonly type: ResourceType;
    readonly name: string;
    readonly origin: readonly ObjectRef[];
  };
};

/**
 * Everything a snapshot names is in it, and each name once. Empty when all is well. Secrets are added later. `exempt`
 * are names that are never defined, on purpose.
 */
export function checkReferences(
  snapshot: Snapshot,
  exempt: readonly string[] = [],
): readonly ReferenceProblem[] {
  const holders = (['cluster', 'listener', 'route'] as const).flatMap((type) => [...snapshot.entries(type)]);
  return [
    ...holders.flatMap((from) => missing(snapshot, from)).filter(({ name }) => !exempt.includes(name)),
    ...duplicates(snapshot),
  ];
}

function missing(snapshot: Snapshot, from: Resource): ReferenceProblem[] {
  const needed = references(from);
  return (['cluster', 'endpoint', 'route'] as const).flatMap((type) =>
    needed[type]
      .filter((name) => snapshot.get(type, name) === undefined)
      .map((name) => ({ kind: 'missing' as const, type, name, from })),
  );
}

function duplicates(snapshot: Snapshot): ReferenceProblem[] {
  return snapshot.layers
    .flatMap((layer) => [
      ...layer.duplicates,
      ...Object.values(layer.byType).flatMap((ofType) =>
        [...ofType.values()].filter(({ type, name }) => snapshot.get(type, name) !== ofType.get(name)),
      ),
    ])
    .map((from) => ({ kind: 'duplicate', type: from.type, name: from.name, from }));
}

const none: References = { cluster: [], endpoint: [], route: [] };
const known = new WeakMap<Resource, References>();

/** What a resource names, read from its bytes once per resource. */
export function references(resource: Resource): References {
  let found = known.get(resource);
  if (found === undefined) {
    found = read(resource);
    known.set(resource, found);
  }
  return found;
}

function read({ type, name, bytes }: Resource): References {
  switch (type) {
    case 'cluster':
      return { ...none, endpoint: endpointName(name, bytes) };
    case 'route':
      return { ...none, cluster: unique(routeClusters(bytes)) };
    case 'listener':
      return listenerReferences(bytes);
    case 'endpoint':
    case 'secret':
      return none;
    default:
      return type satisfies never;
  }
}

/*
 * Resources are read field by field (numbers of Envoy's v3 API) rather than decoded: the node agent needs these
 * names too, and decoding would make it load the whole HTTP connection manager's descriptors.
 */

/** DiscoveryType.EDS */
const eds = 3;

function endpointName(cluster: string, bytes: Uint8Array): string[] {
  if (numberAt(bytes, 2) !== eds) return [];
  const serviceName = strings(bytes, [3, 2])[0];
  return [serviceName ?? cluster];
}

function routeClusters(routeConfiguration: Uint8Array): string[] {
  return fields(routeConfiguration, [2, 3, 2]).flatMap((action) => [
    ...strings(action, [1]),
    ...strings(action, [3, 1, 1]),
    ...strings(action, [30, 1]),
  ]);
}

const httpConnectionManager =
  'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const tcpProxy = 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';

function listenerReferences(listener: Uint8Array): References {
  const chains = [...fields(listener, [3]), ...fields(listener, [25])];
  const cluster: string[] = [];
  const route: string[] = [];
  for (const filter of chains.flatMap((chain) => fields(chain, [3, 4]))) {
    const value = fields(filter, [2])[0] ?? new Uint8Array();
    const typeUrl = strings(filter, [1])[0];
    if (typeUrl === httpConnectionManager) {
      route.push(...strings(value, [3, 2]));
      cluster.push(...fields(value, [4]).flatMap(routeClusters));
    } else if (typeUrl === tcpProxy) {
      cluster.push(...strings(value, [2]), ...strings(value, [10, 1, 1]));
    }
  }
  return { cluster: unique(cluster), endpoint: [], route: unique(route) };
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].filter((name) => name !== '');
}

const text = new TextDecoder();

function strings(message: Uint8Array, path: readonly number[]): string[] {
  return fields(message, path).map((bytes) => text.decode(bytes));
}

/** The length-delimited fields at the end of a path of field numbers. */
function fields(message: Uint8Array, path: readonly number[]): Uint8Array[] {
  return path.reduce<Uint8Array[]>(
    (level, number) => level.flatMap((bytes) => fieldsAt(bytes, number)),
    [message],
  );
}

function fieldsAt(message: Uint8Array, number: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === number && wireType === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(wireType, field);
  }
  return found;
}

function numberAt(message: Uint8Array, number: number): number | undefined {
  let found: number | undefined;
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === number && wireType === WireType.Varint) found = reader.int32();
    else reader.skip(wireType, field);
  }
  return found;
}
