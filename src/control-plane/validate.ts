import type { ProblemEntry, Validation } from '../admin/types.ts';
import type { MeshSettings } from '../model/mesh.ts';
import { refKey, refOf } from '../model/object-ref.ts';
import { createResolver } from '../resolve/resolve.ts';
import { parseObjects } from '../sources/sources.ts';
import type { ObjectsByKind } from '../sources/specs.ts';
import type { LocatedProblem } from '../sources/types.ts';
import { isRefusal } from '../status/status.ts';
import { createStore } from '../store/store.ts';
import { allKinds, type ObjectsView } from './kinds.ts';

/** What resolve would say of the objects in `text` beside all that is there now. Changes nothing. */
export function validate(text: string, settings: MeshSettings, now: ObjectsView | undefined): Validation {
  const { objects, problems: refused } = parseObjects(text, '');
  const store = createStore<ObjectsByKind>();
  const there = allKinds.flatMap((kind) => now?.list(kind) ?? []);
  store.apply(
    [...there, ...objects.map(({ object }) => object)].map((object) => ({ kind: 'applied', object })),
  );
  const refs = new Set(objects.map(({ object }) => refKey(refOf(object))));
  const resolved = createResolver(settings).resolve(store.view()).problems;
  const problems = [...refused, ...resolved.filter(({ ref }) => refs.has(refKey(ref)))];
  return {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'Validation',
    accepted: !problems.some(isRefusal),
    problems: problems.map(entryOf),
  };
}

function entryOf(problem: LocatedProblem | Omit<LocatedProblem, 'location'>): ProblemEntry {
  const { location, ...rest } = { location: undefined, ...problem };
  return location === undefined ? rest : { ...rest, location };
}
