/** What `apply` is given: read, and judged before anything is written. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { showRef } from '../model/object-ref.ts';
import { adminSocket, type Call, flagOption, textOption } from './call.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import { asWritten, type Manifest, splitManifests } from './manifest-files.ts';
import { askValidation } from './mesh.ts';
import { type ShownProblem, showProblem } from './problems.ts';
import type { Target } from './target.ts';
import { expandObjectLists, withoutServed } from './user-text.ts';

export type Input = {
  /** Of the file; `stdin`. */
  readonly name: string;
  /** What the mesh shall judge. */
  readonly text: string;
  /** What shall be written. */
  readonly manifests: readonly Manifest[];
};

/** Only objects that the mesh reads, all well formed. */
export async function readInput(call: Call): Promise<Input> {
  const { name, text: given } = await readText(call);
  const whole = expandObjectLists(given);
  const text = withoutServed(whole);
  return { name, text, manifests: await wellFormed(call, { name, whole, text }) };
}

async function readText(call: Call): Promise<{ readonly name: string; readonly text: string }> {
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

type Texts = { readonly name: string; readonly whole: string; readonly text: string };

async function wellFormed(call: Call, { name, whole, text }: Texts): Promise<readonly Manifest[]> {
  const { parseObjects } = await import('../sources/sources.ts');
  const { objects, problems } = parseObjects(text, name);
  const errors = problems.filter(({ severity }) => severity === 'error');
  complain(call, problems);
  const read = new Set(objects.map(({ object }) => `${object.kind} ${object.metadata.name}`));
  const all = splitManifests(whole).map(asWritten);
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

/** The mesh is asked what it would say. What it would refuse is not written, unless somebody insists. */
export async function refuseWhatMeshRefuses(call: Call, mesh: Target, { name, text }: Input): Promise<void> {
  const said = await askValidation(adminSocket(call, mesh), text);
  if (said === undefined || said.accepted) return;
  // What concerns the form alone was said already.
  const fresh = said.problems.filter(({ code }) => !/^WEFT-10/.test(code));
  const inInput = ({ location, ...problem }: ShownProblem): ShownProblem =>
    location ? { ...problem, location: { ...location, file: location.file || name } } : problem;
  complain(call, fresh.map(inInput));
  if (flagOption(call, 'force')) return;
  throw new CommandFailure({
    exitCode: exitCodes.badInput,
    message: `the mesh would not accept ${name}; nothing was written`,
    next: `weft explain-code ${fresh.find(({ severity }) => severity === 'error')?.code ?? ''}; --force writes it all the same`,
  });
}

function complain({ io, style }: Call, problems: readonly ShownProblem[]): void {
  for (const problem of problems) {
    for (const line of showProblem(problem, style)) io.stderr.write(`${line}\n`);
  }
}
