import type { ObjectEntry, ObjectQuery } from '../../admin/types.ts';
import { adminSocket, type Call, namespaceOption } from '../call.ts';
import { meshToRead } from '../choose-mesh.ts';
import { didYouMean } from '../closest.ts';
import { conditionCells, conditionHeader, showName } from '../conditions.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { kindWord, parseKind } from '../kinds.ts';
import { readObjects } from '../mesh.ts';
import { print, type View } from '../output.ts';

export async function run(call: Call): Promise<ExitCode> {
  const [first = '', second] = call.args;
  const [word = '', inWord] = first.split('/', 2);
  const name = second ?? inWord;
  const kind = word.toLowerCase() === 'all' ? undefined : parseKind(word);
  const query = withoutUndefined({ kind, namespace: namespaceOption(call) });
  const mesh = await meshToRead(call);
  const { items } = await readObjects(adminSocket(call, mesh), query);
  const shown = kind ? items : items.filter(({ object }) => !derived.includes(object.kind));
  const chosen = name === undefined ? shown : shown.filter(({ object }) => object.metadata.name === name);
  if (name !== undefined && chosen.length === 0) throw notFound(word, name, shown);
  await print(call.io, call.format, view(call, chosen, name !== undefined));
  return exitCodes.ok;
}

/** Kinds that the mesh makes itself: shown when asked for by name. */
const derived: readonly string[] = ['Pod', 'EndpointSlice'];

function view(call: Call, entries: readonly ObjectEntry[], single: boolean): View {
  const objects = entries.map(({ object }) => object);
  const [only] = objects;
  return {
    data: single && objects.length === 1 ? only : { apiVersion: 'v1', kind: 'List', items: objects },
    header: ['KIND', 'NAME', ...conditionHeader],
    narrow: 5,
    rows: entries.map((entry) => [
      entry.object.kind,
      showName(entry.object),
      ...conditionCells(entry, call.style),
    ]),
    names: objects.map((object) => `${kindWord(object.kind)}/${object.metadata.name}`),
    empty: call.style.hint('no objects; weft get all shows every kind'),
  };
}

function notFound(kind: string, name: string, known: readonly ObjectEntry[]): CommandFailure {
  const names = known.map(({ object }) => object.metadata.name);
  return new CommandFailure({
    exitCode: exitCodes.notFound,
    message: `no ${kind} is called "${name}"${didYouMean(name, names)}`,
    next: `weft get ${kind}`,
  });
}

function withoutUndefined(
  query: { readonly [K in keyof ObjectQuery]: ObjectQuery[K] | undefined },
): ObjectQuery {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
}
