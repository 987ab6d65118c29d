import type { ObjectEntry } from '../../admin/types.ts';
import { refKey, showRef } from '../../model/object-ref.ts';
import { type Call, durationOption, flagOption } from '../call.ts';
import { meshToChange } from '../choose-mesh.ts';
import { conditionCells, conditionHeader, isRefused } from '../conditions.ts';
import { unifiedDiff } from '../diff.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { readInput, refuseWhatMeshRefuses } from '../input.ts';
import { type Definition, listDefinitions, type Manifest, writeManifest } from '../manifest-files.ts';
import { objectName } from '../names.ts';
import { print } from '../output.ts';
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
  const input = await readInput(call);
  const mesh = await meshToChange(call);
  const definitions = await listDefinitions(mesh.directory);
  const steps = input.manifests.map((manifest) => plan(manifest, definitions));
  if (flagOption(call, 'diff')) return showDiff(call, steps);
  await refuseWhatMeshRefuses(call, mesh, input);
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
    names: done.map(({ manifest }) => objectName(manifest.ref)),
    empty: '',
  });
}
