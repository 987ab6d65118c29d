import { refKey, refOf } from '../model/object-ref.ts';
import type { KubeObject, SourceEvent } from '../sources/types.ts';

/** The kinds that the runtime acts on. */
const wanted: ReadonlySet<string> = new Set(['Deployment', 'Pod', 'Service']);

/** What the user asks for, as last heard. */
export type Objects = {
  /** False when nothing of it concerns the runtime. */
  readonly apply: (events: readonly SourceEvent[]) => boolean;
  readonly all: () => Iterable<KubeObject>;
  readonly services: () => readonly KubeObject[];
  readonly synced: () => boolean;
};

export function createObjects(): Objects {
  const byKey = new Map<string, KubeObject>();
  let synced = false;
  const applyOne = (event: SourceEvent): boolean => {
    switch (event.kind) {
      case 'applied':
        if (!wanted.has(event.object.kind)) return false;
        byKey.set(refKey(refOf(event.object)), event.object);
        return true;
      case 'deleted':
        return byKey.delete(refKey(event.ref));
      case 'synced':
        synced = true;
        return true;
      case 'problems':
        // The control plane reads the same directory and tells the user.
        return false;
    }
  };
  return {
    apply: (events) => events.map(applyOne).includes(true),
    all: () => byKey.values(),
    services: () => [...byKey.values()].filter(({ kind }) => kind === 'Service'),
    synced: () => synced,
  };
}
