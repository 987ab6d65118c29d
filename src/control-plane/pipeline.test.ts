import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createResolver } from '../resolve/resolve.ts';
import { anyObject, anyObjects } from '../resolve/testing/arbitrary.ts';
import { settings } from '../resolve/testing/view.ts';
import { resourceTypes } from '../snapshot/resource.ts';
import { checkReferences, createEncoder, type Snapshot } from '../snapshot/snapshot.ts';
import type { ObjectsByKind } from '../sources/specs.ts';
import type { KubeObject } from '../sources/types.ts';
import { createStore } from '../store/store.ts';
import { createTranslator, undefinedCluster } from '../translate/translate.ts';

/** Everything from an object to the bytes on the wire, for all workloads. */
function createPipeline() {
  const store = createStore<ObjectsByKind>();
  const resolver = createResolver(settings);
  const translator = createTranslator();
  const encoder = createEncoder();
  return {
    apply: (object: KubeObject, deleted: boolean): void => {
      const { apiVersion, kind, metadata } = object;
      const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
      const ref = { group, kind, namespace: metadata.namespace, name: metadata.name };
      store.apply([deleted ? { kind: 'deleted', ref } : { kind: 'applied', object }]);
    },
    objects: () => store.view(),
    snapshots: (): ReadonlyMap<string, Snapshot> => {
      const { mesh } = resolver.resolve(store.view());
      const keys = [...mesh.inbound.keys()];
      return new Map(keys.map((key) => [key, encoder.encode(translator.translate(mesh, key).lists)]));
    },
  };
}

function bytesOf(snapshots: ReadonlyMap<string, Snapshot>): Record<string, string[]> {
  return Object.fromEntries(
    [...snapshots].map(([workload, snapshot]) => [
      workload,
      resourceTypes.flatMap((type) =>
        [...snapshot.entries(type)].map(
          ({ name, version, bytes }) => `${type} ${name} ${version} ${Buffer.from(bytes).toString('base64')}`,
        ),
      ),
    ]),
  );
}

test('incremental equals rebuilt: the same bytes for every proxy after any sequence of events', () => {
  const edits = fc.array(fc.record({ object: anyObject, deleted: fc.boolean() }), { maxLength: 8 });
  let workloads = 0;
  fc.assert(
    fc.property(anyObjects, edits, (start, later) => {
      const grown = createPipeline();
      for (const object of start) grown.apply(object, false);
      for (const { object, deleted } of later) {
        grown.apply(object, deleted);
        // Asked at every step, so that memories of steps between are there to be wrong.
        grown.snapshots();
      }
      const rebuilt = createPipeline();
      const kinds = new Set([...start, ...later.map(({ object }) => object)].map(({ kind }) => kind));
      for (const kind of [...kinds].sort((a, b) => (a < b ? 1 : -1))) {
        // Every kind that an arbitrary object has is a kind of ours.
        for (const object of grown.objects().list(kind as keyof ObjectsByKind)) rebuilt.apply(object, false);
      }
      const snapshots = grown.snapshots();
      workloads += snapshots.size;
      assert.deepEqual(bytesOf(snapshots), bytesOf(rebuilt.snapshots()));
      for (const snapshot of snapshots.values()) {
        const missing = checkReferences(snapshot, [undefinedCluster]).filter(
          ({ kind }) => kind === 'missing',
        );
        assert.deepEqual(missing, []);
      }
    }),
    { numRuns: 100 },
  );
  assert.ok(workloads > 100, `only ${workloads} proxies were compared`);
});
