/**
 * Keeps the walls of the house: which room may look into which, through which door, and how large things may
 * grow. Reads import lines and layout only, so it relies on the formatter and takes a tenth of a second.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as files from './source-files.ts';
import { type Import, isTest, type Source } from './source-files.ts';

type Room = {
  /** Rooms it may look into; `base` always. */
  readonly sees: readonly string[];
  /** Rooms of which it may only name types. */
  readonly typesOf?: readonly string[];
  /** No clock, randomness, network or environment: these arrive as arguments. */
  readonly pure?: true;
  /** Every file may be imported from other rooms, not only the door `<room>/<room>.ts`. */
  readonly vocabulary?: true;
  readonly lines?: number;
};

const rooms: Readonly<Record<string, Room>> = {
  base: { sees: [], vocabulary: true, lines: 600 },
  model: { sees: [], vocabulary: true, pure: true },
  sources: { sees: ['model', 'gen/kubernetes'] },
  store: { sees: [], pure: true },
  resolve: { sees: ['model'], typesOf: ['sources'], pure: true },
  translate: { sees: ['model', 'gen'], typesOf: ['snapshot'], pure: true },
  // A resource's origin is an object's name, a word of the model.
  snapshot: { sees: ['gen'], typesOf: ['model'], pure: true },
  xds: { sees: ['snapshot', 'gen'] },
  identity: { sees: ['model'] },
  status: { sees: ['model'] },
  agent: { sees: ['identity', 'xds', 'snapshot', 'model', 'gen'] },
  // The local runtime plays the kubelet and the controllers of one machine.
  local: { sees: ['model', 'sources'] },
  admin: { sees: ['model'] },
  cli: { sees: ['model', 'sources'], typesOf: ['admin'] },
  // The loop that the other rooms serve: what there is, what it means, who gets it, what came of it.
  'control-plane': {
    sees: 'sources store resolve model translate snapshot xds identity status admin'.split(' '),
  },
  app: { sees: ['*'] },
};

/** Files that are vocabulary in rooms that otherwise have one door. */
const openFiles: RegExp = /^src\/(?:sources\/(?:types|specs[\w-]*)|snapshot\/resource|admin\/types)\.ts$/;

/** Versions are hashes of content: pure, though Node keeps the function in a module of its own. */
const pureImports: readonly string[] = ['snapshot node:crypto'];

const limits = { file: 350, function: 60, room: 4500, exceptions: 5 } as const;

type Exception = { readonly message: string; readonly reason: string };

/** What breaks a rule on purpose: the start of the message, and why. */
const exceptions: readonly Exception[] = [];

/** Every breach below `root`, as lines to print. Tests may look anywhere and be long. */
export function checkRooms(root: string, allowed: readonly Exception[] = exceptions): string[] {
  const all = files.readSources(root);
  const sources = all.filter(({ path }) => !isTest(path));
  const found = [
    ...all.flatMap(exportForms),
    ...sources.flatMap((source) => source.imports.flatMap((line) => wall(source, line))),
    ...sources.flatMap(purity),
    ...sources.flatMap(sizes),
    ...roomSizes(sources),
    ...files.importCycles(sources).map((circle) => `${circle.join(' → ')}: a circle of imports`),
    ...unnamedRooms(root),
  ];
  const unused = allowed.filter(({ message }) => !found.some((line) => line.startsWith(message)));
  return [
    ...found.filter((line) => !allowed.some(({ message }) => line.startsWith(message))),
    ...unused.map(({ message }) => `tools/rooms.ts: the exception '${message}' is no longer needed`),
    ...(allowed.length > limits.exceptions
      ? [`tools/rooms.ts: more than ${limits.exceptions} exceptions`]
      : []),
  ];
}

function wall({ path, room }: Source, { from, kind }: Import): string[] {
  const { sees, typesOf = [] } = rooms[room] ?? { sees: [] };
  if (isTest(from)) return [`${path} → ${from}: only tests look into tests`];
  const other = /^src\/([^/]+)\//.exec(from)?.[1] ?? /^gen\/kubernetes|^gen(?=\/)/.exec(from)?.[0];
  if (!other) return /^(?:src|test|tools|demo|ui)\//.test(from) ? [`${path} → ${from}: not in a room`] : [];
  if (other === room) return [];
  const seen = other === 'base' || sees.includes(other) || (sees.includes('*') && other !== 'app');
  if (!seen && !(kind === 'type' && typesOf.includes(other))) {
    const may = [...sees, ...typesOf.map((name) => `types of ${name}`)].join(', ') || 'base';
    return [`${path} → ${from}: ${room} may look into ${may} — not ${other}`];
  }
  const open = other.startsWith('gen') || rooms[other]?.vocabulary || openFiles.test(from);
  if (open || from === `src/${other}/${other}.ts`) return [];
  return [`${path} → ${from}: the door of ${other} is src/${other}/${other}.ts`];
}

function purity(source: Source): string[] {
  const { path, room, imports } = source;
  if (!rooms[room]?.pure) return [];
  const modules = imports.filter(
    ({ from }) => from.startsWith('node:') && !pureImports.includes(`${room} ${from}`),
  );
  return [
    ...modules.map(({ from }) => `${path} → ${from}: ${room} is pure`),
    ...files
      .impureNames(source)
      .map(({ line, name }) => `${path}:${line}: ${room} is pure, not for ${name}: take it as an argument`),
  ];
}

function exportForms({ path, room, code }: Source): string[] {
  return [
    ...(rooms[room] ? [] : [`${path}: ${room} is not a room; the table is in tools/rooms.ts`]),
    ...(code.some((line) => line.startsWith('export default'))
      ? [`${path}: default export; export by name`]
      : []),
    ...(code.some((line) => line.startsWith('export *')) ? [`${path}: export *; name what is exported`] : []),
  ];
}

function sizes(source: Source): string[] {
  const { path, lines } = source;
  const long = files.functionLengths(source).filter(({ length }) => length > limits.function);
  return [
    ...(lines.length > limits.file ? [`${path}: ${lines.length} lines, the limit is ${limits.file}`] : []),
    ...long.map((f) => `${path}:${f.line}: function of ${f.length} lines, the limit is ${limits.function}`),
  ];
}

function roomSizes(sources: readonly Source[]): string[] {
  return Object.entries(rooms).flatMap(([room, { lines: limit = limits.room }]) => {
    const lines = sources.filter((s) => s.room === room).reduce((sum, s) => sum + s.lines.length, 0);
    return lines > limit
      ? [`src/${room}: ${lines} lines, the limit is ${limit}: split it or delete something`]
      : [];
  });
}

function unnamedRooms(root: string): string[] {
  const path = join(root, 'ARCHITECTURE.md');
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const missing = Object.keys(rooms).filter((room) => !text.includes(`\`${room}\``));
  return missing.map((room) => `ARCHITECTURE.md: does not name the room \`${room}\``);
}

if (import.meta.main) {
  const found = checkRooms(join(dirname(fileURLToPath(import.meta.url)), '..'));
  for (const line of found) process.stderr.write(`${line}\n`);
  process.exitCode = found.length > 0 ? 1 : 0;
}
