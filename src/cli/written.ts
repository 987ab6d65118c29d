/** Waits for what somebody else writes into the mesh directory. */
import type { ObjectEntry } from '../admin/types.ts';
import { refKey, refOf } from '../model/object-ref.ts';
import { adminSocket, type Call } from './call.ts';
import { type Definition, listDefinitions } from './manifest-files.ts';
import { readObjects } from './mesh.ts';
import { waitUntilGone, waitUntilTaken } from './settle.ts';
import type { Target } from './target.ts';

export type WatchedDirectory = {
  /** Resolves with how many objects have changed, once every proxy has answered; past `timeout` it is a failure. */
  readonly untilTaken: (timeout: number) => Promise<number>;
};

/** To be asked for before the writing. */
export async function watchDirectory(call: Call, mesh: Target): Promise<WatchedDirectory> {
  const [before, live] = await Promise.all([
    listDefinitions(mesh.directory),
    readObjects(adminSocket(call, mesh), {}),
  ]);
  const generations = new Map(live.items.map(({ object }: ObjectEntry) => [refKey(refOf(object)), object]));
  return {
    untilTaken: async (timeout) => {
      const deadline = performance.now() + timeout;
      const left = (): number => Math.max(1, deadline - performance.now());
      const { written, gone } = difference(before, await listDefinitions(mesh.directory));
      for (const { ref, value } of written) {
        const generationBefore = generations.get(refKey(ref))?.metadata.generation ?? 0;
        await waitUntilTaken(call, mesh, { expected: { ref, value, generationBefore }, timeout: left() });
      }
      for (const { ref } of gone) await waitUntilGone(call, mesh, { ref, timeout: left() });
      return written.length + gone.length;
    },
  };
}

type Difference = { readonly written: readonly Definition[]; readonly gone: readonly Definition[] };

function difference(before: readonly Definition[], after: readonly Definition[]): Difference {
  const [old, now] = [byRef(before), byRef(after)];
  return {
    written: after.filter(({ ref, text }) => old.get(refKey(ref))?.text !== text),
    gone: before.filter(({ ref }) => !now.has(refKey(ref))),
  };
}

function byRef(definitions: readonly Definition[]): ReadonlyMap<string, Definition> {
  return new Map(definitions.map((definition) => [refKey(definition.ref), definition]));
}
