import type { Manifest, ObjectEntry, ObjectQuery } from '../../admin/types.ts';
import { refOf } from '../../model/object-ref.ts';
import { adminSocket, type Call } from '../call.ts';
import { meshToRead } from '../choose-mesh.ts';
import { didYouMean } from '../closest.ts';
import { conditionCells, conditionHeader, showName } from '../conditions.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { parseKind } from '../kinds.ts';
import { readObjects } from '../mesh.ts';
import { type Named, namedObject, objectName } from '../names.ts';
import { print, type View } from '../output.ts';

export async function run(call: Call): Promise<ExitCode> {
  const { word, name, namespace } = namedObject(call);
  const kind = word.toLowerCase() === 'all' ? undefined : parseKind(word);
  const query = withoutUndefined({ kind, namespace });
  const mesh = await meshToRead(call);
  const { items } = await readObjects(adminSocket(call, mesh), query);
  const shown = kind ? items : items.filter(({ object }) => !derived.includes(object.kind));
  const chosen = name === undefined ? shown : shown.filter(({ object }) => object.metadata.name === name);
  if (name !== undefined && chosen.length === 0) throw notFound({ word, name, namespace }, shown);
  await print(call.io, call.format, view(call, chosen, name !== undefined));
  return exitCodes.ok;
}

/** Kinds that the mesh makes itself: shown when asked for by name. */
const derived: readonly string[] = ['Pod', 'EndpointSlice'];

function view(call: Call, entries: readonly ObjectEntry[], single: boolean): View {
  const objects = entries.map(({ object }) => object);
  const printed = objects.map(asSet);
  const [only] = printed;
  return {
    data: single && printed.length === 1 ? only : { apiVersion: 'v1', kind: 'List', items: printed },
    header: ['KIND', 'NAME', ...conditionHeader],
    narrow: 5,
    rows: entries.map((entry) => [
      entry.object.kind,
      showName(entry.object),
      ...conditionCells(entry, call.style),
    ]),
    names: objects.map((object) => objectName(refOf(object))),
    empty: call.style.hint('no objects; weft get all shows every kind'),
  };
}

/**
 * Of the metadata only what is set: the mesh knows empty labels and an unknown age, its user does not. In a spec what is
 * empty may mean something, and stays.
 */
function asSet(object: Manifest): Manifest {
  const { name, namespace, generation, ...rest } = object.metadata;
  const set = Object.entries(rest).filter(([, value]) => value !== '' && !isEmpty(value));
  const scope = namespace ? { namespace } : {};
  return { ...object, metadata: { name, ...scope, generation, ...Object.fromEntries(set) } };
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  );
}

function notFound({ word, name, namespace }: Named, known: readonly ObjectEntry[]): CommandFailure {
  const names = known.map(({ object }) => object.metadata.name);
  const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
  return new CommandFailure({
    exitCode: exitCodes.notFound,
    message: `no ${word} is called "${name}"${where}${didYouMean(name ?? '', names)}`,
    next: `weft get ${word}`,
  });
}

function withoutUndefined(
  query: { readonly [K in keyof ObjectQuery]: ObjectQuery[K] | undefined },
): ObjectQuery {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
}
