/**
 * The `weft` command line. Comes in: arguments, a terminal, and doors to what this room may not look into; goes out:
 * an exit code. Results go to stdout, everything else to stderr. It reads the mesh through its sockets and changes
 * it only by writing YAML files, as its user would.
 */
import { type Command, textOption } from './call.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import type { Doors, Io } from './io.ts';
import type * as ManifestFiles from './manifest-files.ts';
import { parseFormat } from './output.ts';
import { createStyle, type Style, selfOf, speaksUnicode, wantsColour } from './style.ts';

export { exitCodes } from './exit-codes.ts';
export type { Doors, Io, Story, StoryAction, StoryRequest, StoryResult, UpOptions } from './io.ts';
export type { Definition, Manifest } from './manifest-files.ts';
export { problemLine } from './problems.ts';
export { createStyle, type Style, speaksUnicode, wantsColour } from './style.ts';
export { renderUpScreen, type UpScreen } from './up-screen.ts';

/** The mesh directory as text, for whoever writes objects into it besides `apply`. Loaded when asked for. */
export async function manifestFiles(): Promise<typeof ManifestFiles> {
  return import('./manifest-files.ts');
}

/** Never throws: what goes wrong is said on stderr, with one thing to do next. */
export async function run(argv: readonly string[], io: Io, doors: Doors): Promise<number> {
  const style = styleFor(io, argv.includes('--no-color'));
  try {
    if (argv[0] === 'internal') return await doors.internal(argv.slice(1), io);
    if (argv[0] === '__complete') {
      const { complete } = await import('./complete.ts');
      return await complete(argv.slice(1), io, doors);
    }
    const { parseArguments } = await import('./program.ts');
    const parsed = parseArguments(argv, doors.versions.weft);
    if (parsed.kind === 'text') {
      io.stdout.write(style.hint(parsed.text));
      return exitCodes.ok;
    }
    const { args, options, spec } = parsed;
    const command: Command = await spec.load();
    const call = { io, doors, argv, args, options, style, format: 'table' as const };
    return await command.run({ ...call, format: parseFormat(textOption(call, 'output') ?? 'table') });
  } catch (error) {
    return showFailure(error, io, style);
  }
}

export function styleFor(io: Io, colourForbidden: boolean): Style {
  return createStyle({
    colour: wantsColour(io, colourForbidden),
    unicode: speaksUnicode(io.env),
    self: selfOf(io.env),
  });
}

function showFailure(error: unknown, io: Io, style: Style): ExitCode {
  if (io.signal.aborted) return exitCodes.interrupted;
  const say = (line: string): unknown => io.stderr.write(`${line}\n`);
  if (error instanceof CommandFailure) {
    const { exitCode, message, why, next } = error.text;
    say(`${style.mark('fail')} ${message}`);
    if (why) say(`  because ${why}`);
    const hint = style.hint(next);
    say(`  ${next.startsWith('weft ') ? `next: ${style.paint('bold', hint)}` : hint}`);
    return exitCode;
  }
  say(`${style.mark('fail')} weft itself failed: ${error instanceof Error ? error.message : String(error)}`);
  if (error instanceof Error && error.stack) say(style.paint('dim', error.stack));
  say(style.hint('  next: weft version, and report it with the lines above'));
  return exitCodes.failure;
}
