/** Objects to a sidecar's resources within one process, for floors that get their bytes ready-made. */
import { defaultSettings, type Mesh } from '../../src/model/mesh.ts';
import { workloadKey } from '../../src/model/names.ts';
import { createResolver } from '../../src/resolve/resolve.ts';
import type { EnvoyResource, ResourceList } from '../../src/snapshot/resource.ts';
import { createEncoder, type Snapshot } from '../../src/snapshot/snapshot.ts';
import type { ObjectsByKind } from '../../src/sources/specs.ts';
import { createStore } from '../../src/store/store.ts';
import { createTranslator } from '../../src/translate/translate.ts';
import { type Manifest, namespace, objectsOf } from './manifests.ts';

export type Pipeline = {
  readonly apply: (manifests: readonly Manifest[]) => void;
  readonly mesh: () => Mesh;
  readonly lists: (pod: string) => readonly ResourceList[];
  readonly resources: (pod: string) => readonly EnvoyResource[];
  readonly snapshot: (pod: string) => Snapshot;
};

export function createPipeline(): Pipeline {
  const store = createStore<ObjectsByKind>();
  const resolver = createResolver(defaultSettings);
  const translator = createTranslator();
  const encoder = createEncoder();
  let mesh = resolver.resolve(store.view()).mesh;
  const lists = (pod: string): readonly ResourceList[] =>
    translator.translate(mesh, workloadKey(namespace, pod)).lists;
  return {
    apply(manifests) {
      store.apply(objectsOf(manifests).map((object) => ({ kind: 'applied', object })));
      mesh = resolver.resolve(store.view()).mesh;
    },
    mesh: () => mesh,
    lists,
    resources: (pod) => lists(pod).flat(),
    snapshot: (pod) => encoder.encode(lists(pod)),
  };
}
