import { problemCodes } from '../model/problem.ts';
import { type CommandSpec, type Completes, commands, helpTopics } from './commands.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import type { Doors, Io } from './io.ts';
import { kindNames, parseKind } from './kinds.ts';
import { type AdminSocket, readObjects, readProxies } from './mesh.ts';
import { formats } from './output.ts';
import { lookForTarget } from './target.ts';

/**
 * Prints what may stand at the last of `words` (the words after `weft`), one a line. Never fails and never waits
 * long: a shell is waiting.
 */
export async function complete(words: readonly string[], io: Io, doors: Doors): Promise<ExitCode> {
  const last = words.at(-1) ?? '';
  const candidates = await candidatesFor(words.slice(0, -1), last, { io, doors }).catch((error: unknown) => {
    if (error instanceof CommandFailure) return [];
    throw error;
  });
  const fitting = [...new Set(candidates)].filter((word) => word.startsWith(last));
  io.stdout.write(fitting.map((word) => `${word}\n`).join(''));
  return exitCodes.ok;
}

type World = { readonly io: Io; readonly doors: Doors };

async function candidatesFor(
  before: readonly string[],
  last: string,
  world: World,
): Promise<readonly string[]> {
  const spec = commandOf(before);
  if (!spec) return commandWords(before);
  const option = optionValue(spec, before.at(-1) ?? '');
  if (option) return option;
  if (last.startsWith('-')) return spec.options.flatMap(({ flags }) => longFlag(flags) ?? []);
  const given = argumentsIn(spec, before);
  const argument = spec.arguments[given.length];
  if (!argument) return [];
  if (argument.choices) return argument.choices;
  return argument.completes ? await live(argument.completes, given, { ...world, before }) : [];
}

function commandOf(words: readonly string[]): CommandSpec | undefined {
  const [first = '', second = ''] = words;
  return commands.find(({ name }) => name === first || name === `${first} ${second}`);
}

function commandWords(before: readonly string[]): readonly string[] {
  if (before[0] === 'help') return [...helpTopics, ...commands.map(({ name }) => name)];
  const prefix = before.length === 0 ? '' : `${before.join(' ')} `;
  const fitting = commands.map(({ name }) => name).filter((name) => name.startsWith(prefix));
  const words = fitting.map((name) => name.slice(prefix.length).split(' ', 1)[0] ?? '');
  return before.length === 0 ? [...words, 'help'] : words;
}

/** What may follow an option that takes a value; `undefined` when the word before is no such option. */
function optionValue(spec: CommandSpec, word: string): readonly string[] | undefined {
  const option = spec.options.find(({ flags }) => flags.split(/[ ,]+/).includes(word) && flags.includes('<'));
  if (!option) return undefined;
  return option.choices ?? (longFlag(option.flags) === '--output' ? formats : []);
}

function longFlag(flags: string): string | undefined {
  return /--[\w-]+/.exec(flags)?.[0];
}

function argumentsIn(spec: CommandSpec, before: readonly string[]): readonly string[] {
  const own = before.slice(spec.name.split(' ').length);
  return own.filter(
    (word, index) => !word.startsWith('-') && optionValue(spec, own[index - 1] ?? '') === undefined,
  );
}

type Place = World & { readonly before: readonly string[] };

async function live(what: Completes, given: readonly string[], place: Place): Promise<readonly string[]> {
  switch (what) {
    case 'kind':
      return [...kindNames, 'all'];
    case 'code':
      return Object.keys(problemCodes);
    case 'topic':
      return helpTopics;
    case 'story':
      return (await place.doors.listStories()).map(({ name }) => name);
    case 'name':
      return namesOf(given[0] ?? '', place);
    case 'workload':
      return workloads(place);
    default:
      return what satisfies never;
  }
}

async function namesOf(kind: string, place: Place): Promise<readonly string[]> {
  const socket = await socketOf(place);
  if (!socket) return [];
  const { items } = await readObjects(socket, { kind: parseKind(kind) });
  return items.map(({ object }) => object.metadata.name);
}

async function workloads(place: Place): Promise<readonly string[]> {
  const socket = await socketOf(place);
  if (!socket) return [];
  return (await readProxies(socket)).items.map(({ workload }) => workload);
}

async function socketOf({ io, doors, before }: Place): Promise<AdminSocket | undefined> {
  const at = before.indexOf('--dir');
  const found = await lookForTarget({ io, doors, dir: at < 0 ? undefined : before[at + 1] });
  if (found.kind === 'none') return undefined;
  return { socketPath: found.target.sockets.admin, signal: io.signal, timeout: 500 };
}
