import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ObjectEntry } from '../../admin/types.ts';
import { refKey, showRef } from '../../model/object-ref.ts';
import type { LocatedProblem } from '../../sources/types.ts';
import { type Call, durationOption, flagOption, textOption } from '../call.ts';
import { meshToChange } from '../choose-mesh.ts';
import { conditionCells, conditionHeader, isRefused } from '../conditions.ts';
import { unifiedDiff } from '../diff.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { kindWord } from '../kinds.ts';
import {
  asWritten,
  type Definition,
  listDefinitions,
  type Manifest,
  splitManifests,
  writeManifest,
} from '../manifest-files.ts';
import { print } from '../output.ts';
import { showProblem } from '../problems.ts';
import { readEntry, waitUntilTaken } from '../settle.ts';
import type { Target } from '../target.ts';

/** One object, and what becomes of it. */
type Step = {
  readonly manifest: Manifest;
  readonly old: Definition | undefined;
  readonly action: 'created' | 'configured' | 'unchanged';
};
type Done = Step & { readonly file: string; readonly entry?: ObjectEntry | undefined };

/** All or nothing as to mistakes: when one object is wrong, no file is touched. */
export async function run(call: Call): Promise<ExitCode> {
  const { name, text } = await readInput(call);
  const manifests = await validated(call, text, name);
  const mesh = await meshToChange(call);
  const definitions = await listDefinitions(mesh.directory);
  const steps = manifests.map((manifest) => plan(manifest, definitions));
  if (flagOption(call, 'diff')) return showDiff(call, steps);
  if (flagOption(call, 'dryRun')) {
    await report(
      call,
      steps.map((step) => ({ ...step, file: step.old?.file ?? '' })),
    );
    return exitCodes.ok;
  }
  const done = await carryOut(call, mesh, steps);
  await report(call, done);
  const refused = done.some(({ entry }) => entry && isRefused(entry.object));
  if (refused)
    call.io.stderr.write(
      call.style.hint(`${call.style.mark('warn')} not everything is well; next: weft status\n`),
    );
  return refused ? exitCodes.problems : exitCodes.ok;
}

async function readInput(call: Call): Promise<{ readonly name: string; readonly text: string }> {
  const file = textOption(call, 'filename');
  if (file === undefined) {
    throw new CommandFailure({
      exitCode: exitCodes.usage,
      message: 'apply needs to know what: -f FILE, or -f - for standard input',
      next: 'weft apply --help',
    });
  }
  if (file === '-') {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of call.io.stdin()) {
      text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    }
    return { name: 'stdin', text };
  }
  try {
    return { name: file, text: await readFile(resolve(call.io.cwd, file), 'utf8') };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandFailure(
      { exitCode: exitCodes.badInput, message: `${file} cannot be read`, why, next: 'weft apply --help' },
      cause,
    );
  }
}

async function validated(call: Call, text: string, name: string): Promise<readonly Manifest[]> {
  const { parseObjects } = await import('../../sources/sources.ts');
  const { objects, problems } = parseObjects(text, name);
  const errors = problems.filter(({ severity }) => severity === 'error');
  for (const problem of problems) complain(call, problem);
  const read = new Set(objects.map(({ object }) => `${object.kind} ${object.metadata.name}`));
  const all = splitManifests(text).map(asWritten);
  const manifests = all.filter(({ ref }) => read.has(`${ref.kind} ${ref.name}`));
  if (errors.length > 0) {
    throw new CommandFailure({
      exitCode: exitCodes.badInput,
      message: `${name} has ${errors.length} ${errors.length === 1 ? 'error' : 'errors'}; nothing was written`,
      next: `weft explain-code ${errors[0]?.code ?? ''}`,
    });
  }
  for (const { ref } of all.filter((manifest) => !manifests.includes(manifest))) {
    call.io.stderr.write(`${call.style.mark('warn')} the mesh does not read ${showRef(ref)}; left out\n`);
  }
  if (manifests.length > 0) return manifests;
  throw new CommandFailure({
    exitCode: exitCodes.badInput,
    message: `${name} holds no object that the mesh reads`,
    next: 'weft apply --help',
  });
}

function complain({ io, style }: Call, problem: LocatedProblem): void {
  for (const line of showProblem(problem, style)) io.stderr.write(`${line}\n`);
}

function plan(manifest: Manifest, definitions: readonly Definition[]): Step {
  const old = definitions.find(({ ref }) => refKey(ref) === refKey(manifest.ref));
  if (!old) return { manifest, old, action: 'created' };
  return { manifest, old, action: old.text === manifest.text ? 'unchanged' : 'configured' };
}

function showDiff(call: Call, steps: readonly Step[]): ExitCode {
  const changed = steps.filter(({ action }) => action !== 'unchanged');
  for (const { manifest, old } of changed) {
    call.io.stdout.write(`${showRef(manifest.ref)}${old ? ` in ${old.file}` : ' (new)'}\n`);
    call.io.stdout.write(unifiedDiff(old?.text ?? '', manifest.text));
  }
  return changed.length > 0 ? exitCodes.different : exitCodes.ok;
}

async function carryOut(call: Call, mesh: Target, steps: readonly Step[]): Promise<readonly Done[]> {
  const timeout = durationOption(call, 'timeout');
  const before = await Promise.all(steps.map(({ manifest }) => readEntry(call, mesh, manifest.ref)));
  const written: Done[] = [];
  for (const step of steps) {
    const file =
      step.old && step.action === 'unchanged'
        ? step.old.file
        : await writeManifest(mesh.directory, step.manifest, step.old?.file);
    written.push({ ...step, file });
  }
  if (!flagOption(call, 'wait')) return written;
  const deadline = performance.now() + timeout;
  const done: Done[] = [];
  for (const [index, step] of written.entries()) {
    const { ref, value } = step.manifest;
    const generationBefore = before[index]?.object.metadata.generation ?? 0;
    const entry = await waitUntilTaken(call, mesh, {
      expected: { ref, value, generationBefore },
      timeout: Math.max(1, deadline - performance.now()),
    });
    done.push({ ...step, entry });
  }
  return done;
}

async function report(call: Call, done: readonly Done[]): Promise<void> {
  const suffix = flagOption(call, 'dryRun') ? ' (dry run)' : '';
  await print(call.io, call.format, {
    data: {
      apiVersion: 'weft.dev/v1alpha1',
      kind: 'ApplyResult',
      items: done.map(({ manifest: { ref }, action, file, entry }) => ({
        ...ref,
        action,
        ...(file !== '' && { file }),
        ...(entry && { conditions: entry.object.status.conditions }),
      })),
    },
    header: ['OBJECT', 'RESULT', ...conditionHeader],
    narrow: 6,
    rows: done.map(({ manifest, action, file, entry }) => [
      showRef(manifest.ref),
      `${action}${suffix}`,
      ...(entry ? conditionCells(entry, call.style) : ['-', '-', '', '', file]),
    ]),
    names: done.map(({ manifest: { ref } }) => `${kindWord(ref.kind)}/${ref.name}`),
    empty: '',
  });
}
