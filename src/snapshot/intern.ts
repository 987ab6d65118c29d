import type { ObjectRef } from '../model/object-ref.ts';
import { framed } from './frame.ts';
import type { Resource } from './resource.ts';

/** Gives equal resources one object. Keeps nothing alive by itself. */
export type Interner = { readonly intern: (resource: Omit<Resource, 'frame'>) => Resource };

export function createInterner(): Interner {
  const known = new Map<string, WeakRef<Resource>>();
  const forgotten = new FinalizationRegistry<string>((key) => {
    // A newer resource may have taken the key since.
    if (known.get(key)?.deref() === undefined) known.delete(key);
  });
  return {
    intern(resource) {
      const key = `${resource.type}|${resource.version}|${resource.name}`;
      const same = known.get(key)?.deref();
      if (same !== undefined && equalOrigins(same, resource)) return same;
      // Equal content from other objects shares the bytes, but must answer for its own objects.
      const fresh = same === undefined ? framed(resource) : { ...same, origin: resource.origin };
      known.set(key, new WeakRef(fresh));
      forgotten.register(fresh, key);
      return fresh;
    },
  };
}

function equalOrigins(a: Pick<Resource, 'origin'>, b: Pick<Resource, 'origin'>): boolean {
  if (a.origin === b.origin) return true;
  return (
    a.origin.length === b.origin.length && a.origin.every((ref, index) => equalRefs(ref, b.origin[index]))
  );
}

function equalRefs(a: ObjectRef, b: ObjectRef | undefined): boolean {
  return a.kind === b?.kind && a.name === b.name && a.namespace === b.namespace && a.group === b.group;
}
