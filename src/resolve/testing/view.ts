import assert from 'node:assert/strict';
import { deepFreeze } from '../../base/content.ts';
import { defaultSettings, type MeshSettings } from '../../model/mesh.ts';
import { parseObjects } from '../../sources/sources.ts';
import type { ObjectsByKind } from '../../sources/specs.ts';
import type { KubeObject } from '../../sources/types.ts';
import { createStore } from '../../store/store.ts';
import type { ObjectView } from '../resolve.ts';

export const settings: MeshSettings = { ...defaultSettings, rootNamespace: 'weft-system' };

/** Valid objects, as a source would hand them out. */
export function readYaml(text: string, file: string): readonly KubeObject[] {
  const { objects, problems } = parseObjects(text, file);
  assert.deepEqual(problems, []);
  return deepFreeze(objects.map(({ object }) => object));
}

/** The view that a store with exactly these objects shows. */
export function viewOf(objects: readonly KubeObject[]): ObjectView {
  const store = createStore<ObjectsByKind>();
  store.apply(objects.map((object) => ({ kind: 'applied', object })));
  return store.view();
}
