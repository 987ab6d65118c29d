import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import {
  Cluster_EdsClusterConfigSchema,
  ClusterSchema,
} from '../../gen/envoy/config/cluster/v3/cluster_pb.ts';
import { MetadataSchema } from '../../gen/envoy/config/core/v3/base_pb.ts';
import { DeltaDiscoveryResponseSchema } from '../../gen/envoy/service/discovery/v3/discovery_pb.ts';
import {
  cluster,
  endpoints,
  envoyResource,
  httpListener,
  routes,
  tcpListener,
} from '../../test/support/resources.ts';
import { encodeCanonical } from '../base/canonical.ts';
import { type EnvoyResource, type Resource, type ResourceType, resourceTypes, typeUrls } from './resource.ts';
import {
  changes,
  checkReferences,
  createEncoder,
  diff,
  joinSnapshots,
  references,
  resourceFromBytes,
  type Snapshot,
  snapshotOf,
} from './snapshot.ts';

const names = ['a', 'b', 'c', 'd', 'e'];
const resources: fc.Arbitrary<Resource> = fc
  .record({ type: fc.constantFrom(...resourceTypes), name: fc.constantFrom(...names), content: fc.nat(2) })
  .map(({ type, name, content }) => resourceFromBytes(type, name, Uint8Array.of(content)));
/** Few distinct layers, so that snapshots often share some of them. */
const pool: readonly Snapshot[] = fc
  .sample(fc.array(resources, { maxLength: 5 }), { numRuns: 8, seed: 7 })
  .map((list) => snapshotOf(list));
const snapshots: fc.Arbitrary<Snapshot> = fc
  .array(fc.constantFrom(...pool), { maxLength: 4 })
  .map((parts) => joinSnapshots(...parts));

function versions(snapshot: Snapshot, type: ResourceType): Map<string, string> {
  return new Map([...snapshot.entries(type)].map(({ name, version }) => [name, version]));
}

test('applying a difference to what is known gives the snapshot', () => {
  fc.assert(
    fc.property(snapshots, snapshots, fc.constantFrom(...resourceTypes), (before, after, type) => {
      const known = versions(before, type);
      const { upsert, remove } = diff(known, after, type);
      for (const { name, version } of upsert) known.set(name, version);
      for (const name of remove) known.delete(name);
      assert.deepEqual(known, versions(after, type));
      assert.deepEqual(diff(known, after, type), { upsert: [], remove: [] });
    }),
  );
});

test('changes are exactly the names in a difference, however the layers are shared', () => {
  fc.assert(
    fc.property(snapshots, snapshots, fc.constantFrom(...resourceTypes), (before, after, type) => {
      const { upsert, remove } = diff(versions(before, type), after, type);
      const expected = [...upsert.map(({ name }) => name), ...remove].sort();
      assert.deepEqual([...changes(before, after, type)].sort(), expected);
    }),
  );
});

test('lookups agree with each other, and the first of a name counts', () => {
  fc.assert(
    fc.property(snapshots, fc.constantFrom(...resourceTypes), (snapshot, type) => {
      const entries = [...snapshot.entries(type)];
      assert.equal(snapshot.size(type), entries.length);
      assert.deepEqual([...snapshot.names(type)], [...new Set(snapshot.names(type))]);
      for (const entry of entries) {
        assert.equal(snapshot.get(type, entry.name), entry);
        const first = snapshot.layers.find((layer) => layer.byType[type].has(entry.name));
        assert.equal(first?.byType[type].get(entry.name), entry);
      }
    }),
  );
});

test('a frame is what a response holds, and the bytes are a part of it', () => {
  const version = fc.stringMatching(/^[0-9a-f]{16}$/);
  fc.assert(
    fc.property(fc.string(), fc.uint8Array({ maxLength: 70_000 }), version, (name, bytes, given) => {
      const resource = resourceFromBytes('route', name, bytes, { version: given });
      const response = fromBinary(DeltaDiscoveryResponseSchema, resource.frame);
      assert.equal(response.resources.length, 1);
      const [inside] = response.resources;
      assert.equal(inside?.name, name);
      assert.equal(inside?.version, given);
      assert.equal(inside?.resource?.typeUrl, typeUrls.route);
      assert.deepEqual(Buffer.from(inside?.resource?.value ?? []), Buffer.from(bytes));
      assert.deepEqual(Buffer.from(resource.bytes), Buffer.from(bytes));
      assert.equal(resource.bytes.buffer, resource.frame.buffer);
    }),
    { numRuns: 50 },
  );
});

test('equal messages have equal bytes, whatever order their maps were filled in', () => {
  const json = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }));
  fc.assert(
    fc.property(fc.dictionary(fc.string(), json, { noNullPrototype: true }), (filterMetadata) => {
      // Struct values are finite JSON; fast-check's are.
      const metadata = create(MetadataSchema, { filterMetadata: filterMetadata as never });
      const turned = create(MetadataSchema, { filterMetadata: reversed(filterMetadata) as never });
      const one = encodeCanonical(ClusterSchema, create(ClusterSchema, { name: 'x', metadata }));
      const other = encodeCanonical(ClusterSchema, create(ClusterSchema, { name: 'x', metadata: turned }));
      assert.deepEqual(one, other);
      assert.deepEqual(
        fromBinary(ClusterSchema, one),
        fromBinary(ClusterSchema, toBinary(ClusterSchema, create(ClusterSchema, { name: 'x', metadata }))),
      );
    }),
  );
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reversed(inner)]),
  );
}

test('the encoder encodes a list once, and shares equal resources between lists', () => {
  const encoder = createEncoder();
  const list = [envoyResource(cluster('a')), envoyResource(endpoints('a', [1]))];
  const other = [envoyResource(cluster('a')), envoyResource(endpoints('a', [2]))];
  const one = encoder.encode([list]);
  assert.equal(encoder.encode([list]), one);
  assert.equal(encoder.encode([list, other]), encoder.encode([list, other]));
  const two = encoder.encode([other]);
  assert.equal(one.get('cluster', 'a'), two.get('cluster', 'a'));
  assert.notEqual(one.get('endpoint', 'a')?.version, two.get('endpoint', 'a')?.version);
  assert.match(one.get('cluster', 'a')?.version ?? '', /^[0-9a-f]{16}$/);
});

test('equal content from other objects shares bytes but not origins', () => {
  const encoder = createEncoder();
  const from = (name: string): EnvoyResource => ({
    ...envoyResource(cluster('a')),
    origin: [{ group: '', kind: 'Service', namespace: 'shop', name }],
  });
  const one = encoder.encode([[from('cart')]]).get('cluster', 'a');
  const two = encoder.encode([[from('basket')]]).get('cluster', 'a');
  assert.equal(one?.origin[0]?.name, 'cart');
  assert.equal(two?.origin[0]?.name, 'basket');
  assert.equal(one?.frame, two?.frame);
});

test('references are read from real messages', () => {
  const encoder = createEncoder();
  const snapshot = encoder.encode([
    [
      envoyResource(cluster('a')),
      envoyResource(
        cluster('b', { edsClusterConfig: create(Cluster_EdsClusterConfigSchema, { serviceName: 'other' }) }),
      ),
      envoyResource(cluster('static', { clusterDiscoveryType: { case: 'type', value: 0 } })),
      envoyResource(routes('r', ['a', 'b'])),
      envoyResource(httpListener('http', 'r')),
      envoyResource(tcpListener('tcp', 'a')),
    ],
  ]);
  const of = (type: ResourceType, name: string) => {
    const resource = snapshot.get(type, name);
    assert(resource);
    return references(resource);
  };
  assert.deepEqual(of('cluster', 'a').endpoint, ['a']);
  assert.deepEqual(of('cluster', 'b').endpoint, ['other']);
  assert.deepEqual(of('cluster', 'static').endpoint, []);
  assert.deepEqual([...of('route', 'r').cluster].sort(), ['a', 'b']);
  assert.deepEqual(of('listener', 'http').route, ['r']);
  assert.deepEqual(of('listener', 'tcp').cluster, ['a']);
});

test('what is named and missing, and what is there twice, is reported', () => {
  const encoder = createEncoder();
  const good = [
    envoyResource(cluster('a')),
    envoyResource(endpoints('a', [1])),
    envoyResource(routes('r', ['a', 'weft-invalid-backend'])),
    envoyResource(httpListener('l', 'r')),
  ];
  assert.deepEqual(checkReferences(encoder.encode([good]), ['weft-invalid-backend']), []);
  assert.deepEqual(
    checkReferences(encoder.encode([good])).map(({ name }) => name),
    ['weft-invalid-backend'],
  );
  const bad = [
    envoyResource(cluster('a', { altStatName: 'second' })),
    envoyResource(cluster('b')),
    envoyResource(tcpListener('t', 'nowhere')),
    envoyResource(httpListener('h', 'no-route')),
  ];
  const found = checkReferences(encoder.encode([good, bad]), ['weft-invalid-backend']);
  assert.deepEqual(
    found.map(({ kind, type, name, from }) => `${kind} ${type} ${name} by ${from.type} ${from.name}`).sort(),
    [
      'duplicate cluster a by cluster a',
      'missing cluster nowhere by listener t',
      'missing endpoint b by cluster b',
      'missing route no-route by listener h',
    ],
  );
});
