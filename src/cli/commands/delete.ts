import type { ProblemEntry } from '../../admin/types.ts';
import { refKey, showRef } from '../../model/object-ref.ts';
import { adminSocket, type Call, durationOption, flagOption } from '../call.ts';
import { meshToChange } from '../choose-mesh.ts';
import { didYouMean } from '../closest.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { kindWord, parseKind } from '../kinds.ts';
import { type Definition, listDefinitions, removeManifest } from '../manifest-files.ts';
import { readProblems } from '../mesh.ts';
import { namedObject } from '../names.ts';
import { print, type View } from '../output.ts';
import { showProblem } from '../problems.ts';
import { waitUntilGone } from '../settle.ts';

export async function run(call: Call): Promise<ExitCode> {
  const { word, name, namespace } = namedObject(call);
  const kind = parseKind(word);
  if (name === undefined) throw noName(word);
  const mesh = await meshToChange(call);
  const definitions = await listDefinitions(mesh.directory);
  const ofKind = definitions.filter(({ ref }) => ref.kind === kind);
  const definition = choose(ofKind, { kind, name, namespace });
  const suffix = flagOption(call, 'dryRun') ? ' (dry run)' : '';
  const { ref, file } = definition;
  const said = `${call.style.mark('ok')} deleted ${showRef(ref)} from ${file}${suffix}\n`;
  const report = async (): Promise<void> => {
    if (call.format === 'table') call.io.stdout.write(said);
    else await print(call.io, call.format, viewOf(definition, flagOption(call, 'dryRun')));
  };
  if (flagOption(call, 'dryRun')) {
    await report();
    return exitCodes.ok;
  }
  const before = await readProblems(adminSocket(call, mesh));
  await removeManifest(mesh.directory, definition);
  if (!flagOption(call, 'wait')) {
    await report();
    return exitCodes.ok;
  }
  await waitUntilGone(call, mesh, { ref: definition.ref, timeout: durationOption(call, 'timeout') });
  await report();
  const after = await readProblems(adminSocket(call, mesh));
  showConsequences(call, definition, newIn(before.items, after.items));
  return exitCodes.ok;
}

function viewOf({ ref, file }: Definition, dryRun: boolean): View {
  return {
    data: { apiVersion: 'weft.dev/v1alpha1', kind: 'Deletion', object: ref, file, dryRun },
    header: ['OBJECT', 'FILE'],
    rows: [[showRef(ref), file]],
    names: [[kindWord(ref.kind), ref.namespace, ref.name].filter((word) => word !== '').join('/')],
    empty: '',
  };
}

function newIn(before: readonly ProblemEntry[], after: readonly ProblemEntry[]): readonly ProblemEntry[] {
  const keyOf = ({ code, ref, field, message }: ProblemEntry): string =>
    [code, refKey(ref), field, message].join('|');
  const known = new Set(before.map(keyOf));
  return after.filter((problem) => !known.has(keyOf(problem)));
}

/** Others may have referred to it. What has nothing to do with it is said elsewhere. */
function showConsequences(call: Call, { ref }: Definition, problems: readonly ProblemEntry[]): void {
  // A host may be written in full: `pay.campus.svc.cluster.local`.
  const isIt = (word: string): boolean => word === ref.name || word.startsWith(`${ref.name}.`);
  const names = ({ message }: ProblemEntry): boolean => message.split(/[^\w.-]+/).some(isIt);
  for (const problem of problems.filter(names)) {
    for (const line of showProblem(problem, call.style)) call.io.stderr.write(`${line}\n`);
  }
}

function noName(word: string): CommandFailure {
  return new CommandFailure({
    exitCode: exitCodes.usage,
    message: `which ${word}? delete needs a name`,
    next: `weft get ${word}`,
  });
}

type Wanted = { readonly kind: string; readonly name: string; readonly namespace: string | undefined };

function choose(ofKind: readonly Definition[], { kind, name, namespace }: Wanted): Definition {
  const definitions = ofKind.filter(({ ref }) => namespace === undefined || ref.namespace === namespace);
  const found = definitions.filter(({ ref }) => ref.name === name);
  const [first] = found;
  if (!first) {
    const names = definitions.map(({ ref }) => ref.name);
    const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
    throw new CommandFailure({
      exitCode: exitCodes.notFound,
      message: `no file defines a ${kind} called "${name}"${where}${didYouMean(name, names)}`,
      next: `weft get ${kindWord(kind)}`,
    });
  }
  const namespaces = [...new Set(found.map(({ ref }) => ref.namespace))];
  if (namespaces.length === 1) return first;
  throw new CommandFailure({
    exitCode: exitCodes.usage,
    message: `${kind} "${name}" is in several namespaces: ${namespaces.join(', ')}`,
    next: `weft delete ${kindWord(kind)} ${name} -n ${namespaces[0]}`,
  });
}
