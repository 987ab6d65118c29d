/**
 * A directory made to look like a running mesh: a `run.json` that names this process, the real admin server with
 * fixed answers, and two sockets that repeat what a node agent and a runtime once said.
 */
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AdminReaders, serveAdmin } from '../../admin/admin.ts';
import { silentLogger } from '../../base/log.ts';
import { type Doors, type Io, run, type UpOptions } from '../cli.ts';
import { processStartTime } from '../target.ts';
import { fixedReaders } from './fixed-mesh.ts';

export type Outcome = { readonly code: number; readonly out: string; readonly err: string };
export type Over = {
  readonly env?: Record<string, string>;
  readonly isTTY?: boolean;
  readonly cwd?: string;
  readonly stdin?: string;
  readonly signal?: AbortSignal;
};
export type World = AsyncDisposable & {
  readonly directory: string;
  readonly weft: (words: string, over?: Over) => Promise<Outcome>;
  readonly ups: UpOptions[];
  /** Closes the sockets, as the end of a mesh does; in order, `run.json` goes too. */
  readonly end: (inOrder: boolean) => Promise<void>;
};
export type WorldOptions = {
  readonly well?: boolean;
  readonly read?: Partial<AdminReaders>;
  /** Leave out `run.json`, or the agent. */
  readonly stopped?: boolean;
  readonly silentAgent?: boolean;
  readonly stories?: Pick<Doors, 'applyStory'>;
  /** Of the process that counts as the mesh; this one when not given. */
  readonly pid?: number;
};

const http = { p50Ms: 9, p99Ms: 88, connections: 0, denied: 0, mtls: true };
const silent = { rps: null, successRate: null, denied: null, p50Ms: null, p99Ms: null };
const edges = [
  { ...http, source: 'campus/web', target: 'campus/pay', rps: 12.5, successRate: 0.975 },
  { ...http, source: 'campus/cron', target: 'campus/web', rps: 1.4, successRate: 1, mtls: false },
  { ...http, source: 'campus/pay', target: 'campus/fx', rps: 0.4, successRate: 0.5 },
  { ...http, source: 'campus/notify', target: 'campus/pay', rps: 2, successRate: 1, denied: 0.25 },
  { ...http, source: 'unknown', target: 'campus/pay', rps: 0.2, successRate: 1, mtls: false },
  { ...silent, source: 'campus/pay', target: 'campus/db', connections: 3, mtls: true },
  { ...silent, source: 'campus/pay', target: 'campus/idle', connections: 0, mtls: true },
];
const goodEdges = edges.slice(-3);
const logLines = ['listening on 8080', 'GET / 200'];

export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'weft-cli-'));
  const sockets = join(directory, '.sockets');
  await mkdir(sockets);
  await mkdir(join(directory, '.weft'));
  const { pid = process.pid } = options;
  const startTime = await processStartTime(pid);
  const state = { pid, startTime, version: '0.1.0', directory };
  if (!options.stopped) await writeFile(join(directory, '.weft/run.json'), JSON.stringify(state));
  await using stack = new AsyncDisposableStack();
  stack.use(
    await serveAdmin({
      path: join(sockets, 'control-plane.admin.sock'),
      read: { ...fixedReaders(directory, options.well), ...options.read },
      log: silentLogger,
    }),
  );
  if (!options.silentAgent)
    stack.use(await serveRecorded(join(sockets, 'agent.sock'), await agentAnswers(options)));
  stack.use(await serveRecorded(join(sockets, 'runtime.sock'), runtimeAnswers));
  const open = stack.move();
  const ups: UpOptions[] = [];
  const doors: Doors = {
    ...doorsTo(ups, options.stories),
    socketDirectory: (asked) => (asked === pid ? sockets : '/nowhere'),
  };
  return {
    directory,
    ups,
    weft: (words, over = {}) => weft(words, { cwd: directory, ...over }, { doors, directory }),
    end: async (inOrder) => {
      await open.disposeAsync();
      if (inOrder) await rm(join(directory, '.weft/run.json'));
    },
    [Symbol.asyncDispose]: async () => {
      await open.disposeAsync();
      await rm(directory, { recursive: true });
    },
  };
}

type Answers = Readonly<Record<string, string>>;

async function agentAnswers({ well }: WorldOptions): Promise<Answers> {
  const envoy = '/workloads/campus/web-7/envoy';
  const recorded = (name: string): Promise<string> =>
    readFile(new URL(`../testdata/${name}.json`, import.meta.url), 'utf8');
  return {
    '/workloads': '{}',
    '/edges': JSON.stringify(well ? goodEdges : edges),
    [`${envoy}/config_dump`]: await recorded('config_dump'),
    [`${envoy}/clusters`]: await recorded('clusters'),
  };
}

const runtimeAnswers: Answers = {
  '/v1/workloads': '{"workloads":[]}',
  '/v1/dns': '{"addresses":["10.96.0.7"]}',
  '/v1/logs': logLines.map((text) => `${JSON.stringify({ time: 0, stream: 'stdout', text })}\n`).join(''),
};

async function serveRecorded(path: string, answers: Answers): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    const body = answers[(request.url ?? '').split('?')[0] ?? ''];
    response.writeHead(body === undefined ? 404 : 200).write(body ?? '{"error":"not recorded"}');
    if (!request.url?.includes('follow=true')) response.end();
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function doorsTo(ups: UpOptions[], stories: WorldOptions['stories']): Omit<Doors, 'socketDirectory'> {
  return {
    versions: { weft: '0.1.0', envoy: '1.40.0' },
    up: async (options) => {
      ups.push(options);
      return 0;
    },
    internal: async (args) => args.length,
    listStories: async () => [
      { name: 'canary', summary: 'a second version takes a share of the traffic' },
      { name: 'mtls', summary: 'a caller without a sidecar' },
    ],
    // Writes nothing unless a test says what.
    applyStory: async ({ name, action }) => ({
      applied: [`stories/${name}/${action}.yaml`],
      removed: [],
      next: 'weft edges',
    }),
    ...stories,
  };
}

type Place = { readonly doors: Doors; readonly directory: string };

async function weft(words: string, over: Over & { cwd: string }, place: Place): Promise<Outcome> {
  let [out, err] = ['', ''];
  const io: Io = {
    stdout: {
      write: (text) => {
        out += text;
      },
    },
    stderr: {
      write: (text) => {
        err += text;
      },
    },
    stdin: async function* () {
      yield over.stdin ?? '';
    },
    env: { LANG: 'C.UTF-8', ...over.env },
    isTTY: over.isTTY ?? false,
    cwd: over.cwd,
    signal: over.signal ?? new AbortController().signal,
  };
  const code = await run(
    words.split(' ').filter((word) => word !== ''),
    io,
    place.doors,
  );
  const steady = (text: string): string =>
    text
      .replaceAll(place.directory, '<DIR>')
      .replaceAll(`pid ${process.pid}`, 'pid <PID>')
      .replaceAll(process.versions.node, '<NODE>')
      .replace(/for \d+d/g, 'for <DAYS>d');
  return { code, out: steady(out), err: steady(err) };
}
