/** The mesh that a command is about, or what to type so that there is one. */
import { relative, resolve } from 'node:path';
import type { Call } from './call.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import { shellWord } from './style.ts';
import { type Found, lookForTarget, type Target } from './target.ts';

type Asking = Pick<Call, 'io' | 'doors' | 'argv' | 'options'>;

/** For commands that only read: says which directory they speak of when that is not plain from where the user is. */
export async function meshToRead(call: Asking): Promise<Target> {
  const found = await lookForMesh(call);
  if (found.kind === 'none') throw none(call, found);
  sayWhere(call, found);
  return found.target;
}

/** For commands that change something: a mesh that nobody named, by a word or by the place they are at, is not theirs. */
export async function meshToChange(call: Asking): Promise<Target> {
  const found = await lookForMesh(call);
  if (found.kind === 'none') throw none(call, found);
  if (found.by === 'chance') throw notNamed(call, found.target.directory);
  return found.target;
}

export function lookForMesh({ io, doors, options }: Asking): Promise<Found> {
  return lookForTarget({ io, doors, dir: typeof options.dir === 'string' ? options.dir : undefined });
}

export function sayWhere({ io }: Asking, found: Found): void {
  if (found.kind === 'none' || found.by === 'option' || found.by === 'place') return;
  const { directory } = found.target;
  if (isBelow(io.cwd, directory) || isBelow(directory, io.cwd)) return;
  io.stderr.write(
    `mesh in ${directory}${found.by === 'chance' ? ', the only one that runs' : ', by WEFT_DIR'}\n`,
  );
}

export function notNamed(call: Asking, directory: string): CommandFailure {
  return new CommandFailure({
    exitCode: exitCodes.unreachable,
    message: 'no mesh is running here',
    why: `the only one on this machine is in ${directory}, and this command changes it`,
    next: again(call, directory),
  });
}

export function none(call: Asking, { why, others }: Extract<Found, { kind: 'none' }>): CommandFailure {
  const [first] = others;
  return new CommandFailure({
    exitCode: exitCodes.unreachable,
    message: 'no mesh is running here',
    why,
    next: first === undefined ? 'start it with: weft up' : again(call, first),
  });
}

/** What was typed, with a `--dir` that works. */
function again({ argv, io }: Asking, directory: string): string {
  const words = argv.filter((word, at) => !/^--dir(=|$)/.test(word) && argv[at - 1] !== '--dir');
  const below = relative(io.cwd, directory);
  const shown = isBelow(io.cwd, directory) ? below || '.' : directory;
  return ['weft', ...words, '--dir', shown].map(shellWord).join(' ');
}

function isBelow(above: string, path: string): boolean {
  const way = relative(above, resolve(path));
  return way !== '..' && !way.startsWith('../');
}
