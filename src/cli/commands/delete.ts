import { showRef } from '../../model/object-ref.ts';
import { type Call, durationOption, flagOption, namespaceOption } from '../call.ts';
import { meshToChange } from '../choose-mesh.ts';
import { didYouMean } from '../closest.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { kindWord, parseKind } from '../kinds.ts';
import { type Definition, listDefinitions, removeManifest } from '../manifest-files.ts';
import { waitUntilGone } from '../settle.ts';

export async function run(call: Call): Promise<ExitCode> {
  const [word = '', name = ''] = call.args;
  const kind = parseKind(word);
  const mesh = await meshToChange(call);
  const definitions = await listDefinitions(mesh.directory);
  const namespace = namespaceOption(call);
  const ofKind = definitions.filter(
    ({ ref }) => ref.kind === kind && (namespace === undefined || ref.namespace === namespace),
  );
  const definition = choose(ofKind, kind, name);
  const suffix = flagOption(call, 'dryRun') ? ' (dry run)' : '';
  if (!flagOption(call, 'dryRun')) {
    await removeManifest(mesh.directory, definition);
    if (flagOption(call, 'wait')) {
      await waitUntilGone(call, mesh, { ref: definition.ref, timeout: durationOption(call, 'timeout') });
    }
  }
  call.io.stdout.write(
    `${call.style.mark('ok')} deleted ${showRef(definition.ref)} from ${definition.file}${suffix}\n`,
  );
  return exitCodes.ok;
}

function choose(definitions: readonly Definition[], kind: string, name: string): Definition {
  const found = definitions.filter(({ ref }) => ref.name === name);
  const [first] = found;
  if (!first) {
    const names = definitions.map(({ ref }) => ref.name);
    throw new CommandFailure({
      exitCode: exitCodes.notFound,
      message: `no file defines a ${kind} called "${name}"${didYouMean(name, names)}`,
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
