/** Waits until the mesh has taken what was written into its directory. */
import type { ObjectEntry } from '../admin/types.ts';
import type { Condition } from '../model/condition.ts';
import { type ObjectRef, showRef } from '../model/object-ref.ts';
import { adminSocket, type Call, waitFor } from './call.ts';
import { readObjects } from './mesh.ts';
import { asList, asRecord } from './record.ts';
import type { Target } from './target.ts';

export type Expected = {
  readonly ref: ObjectRef;
  /** As written: the mesh's form may say more (defaults), never less. */
  readonly value: Readonly<Record<string, unknown>>;
  /** Before the write; 0 when the object was not there. */
  readonly generationBefore: number;
};

export async function readEntry(
  call: Call,
  mesh: Target,
  { kind, namespace, name }: ObjectRef,
): Promise<ObjectEntry | undefined> {
  const { items } = await readObjects(adminSocket(call, mesh), { kind, namespace, name });
  return items[0];
}

/** Resolves with the object once every proxy has answered, whatever it answered. */
export async function waitUntilTaken(
  call: Call,
  mesh: Target,
  { expected, timeout }: { readonly expected: Expected; readonly timeout: number },
): Promise<ObjectEntry> {
  let seen: ObjectEntry | undefined;
  return waitFor(call, {
    timeout,
    look: async () => {
      seen = await readEntry(call, mesh, expected.ref);
      return seen && isTaken(seen, expected) ? seen : undefined;
    },
    describe: () => {
      const state = seen && isNew(seen, expected) ? programmedOf(seen)?.message : undefined;
      return `waiting for ${showRef(expected.ref)}: ${state ?? 'the mesh has not read it yet'}`;
    },
    next: `weft get ${expected.ref.kind.toLowerCase()} ${expected.ref.name} -o yaml`,
  });
}

export async function waitUntilGone(
  call: Call,
  mesh: Target,
  { ref, timeout }: { readonly ref: ObjectRef; readonly timeout: number },
): Promise<void> {
  await waitFor(call, {
    timeout,
    look: async () => ((await readEntry(call, mesh, ref)) ? undefined : true),
    describe: () => `waiting for the mesh to let go of ${showRef(ref)}`,
    next: 'weft status',
  });
}

function isTaken(entry: ObjectEntry, expected: Expected): boolean {
  const programmed = programmedOf(entry);
  return (
    isNew(entry, expected) &&
    programmed?.status !== 'Unknown' &&
    programmed?.observedGeneration === entry.object.metadata.generation
  );
}

function isNew({ object }: ObjectEntry, { value, generationBefore }: Expected): boolean {
  if (object.metadata.generation > generationBefore) return true;
  const { metadata, status: _, ...rest } = value;
  const { labels = {}, annotations = {} } = asRecord(metadata);
  return holds(object, { ...rest, metadata: { labels, annotations } });
}

/** Whether `whole` says all that `part` says; lists must be equally long. */
function holds(whole: unknown, part: unknown): boolean {
  if (part === null || part === undefined) return true;
  if (typeof part !== 'object') return whole === part;
  if (Array.isArray(part)) {
    const list = asList(whole);
    return list.length === part.length && part.every((item, index) => holds(list[index], item));
  }
  const fields = asRecord(whole);
  return Object.entries(part).every(([key, value]) => isEmpty(value) || holds(fields[key], value));
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function programmedOf({ object }: ObjectEntry): Condition | undefined {
  return object.status.conditions.find(({ type }) => type === 'Programmed');
}
