import { access, chmod, constants, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sleep } from '../base/time.ts';
import { type Io, type Style, styleFor } from '../cli/cli.ts';
import { type EnvoyBinary, findEnvoy } from './envoy-binary.ts';
import { forwardPort, type HostPort, metricsToken, type PortWish, serveMetrics } from './host-ports.ts';
import type { InnerOptions } from './inner.ts';
import { type Launched, launch } from './launch.ts';
import { createNews } from './news.ts';
import { projectOf } from './reach.ts';
import { findMissing, thisHost } from './requirements.ts';
import {
  keepRunState,
  type RunState,
  readRunState,
  removeRunState,
  socketDirectory,
  startTimeOf,
  stateDirectoryOf,
  writeRunState,
} from './run-state.ts';
import { showStart } from './show-start.ts';
import { tellChanges } from './tell-changes.ts';
import { UpFailure } from './up-failure.ts';

/** A mesh to run from a directory, until Ctrl-C. */
export type UpRequest = {
  /** Absolute. */
  readonly directory: string;
  /** What the screen calls it. */
  readonly title: string;
  readonly version: string;
  /** How this program starts itself: Node, its options, the script. */
  readonly launcher: readonly string[];
  /** Searched first for what pods run. */
  readonly extraPath: readonly string[];
  readonly envoy?: string;
  /** Absent when nobody asked for one. */
  readonly shopPort?: number;
  readonly metricsPort?: number;
  readonly separate: boolean;
  readonly certificateTtlSeconds: number;
  readonly outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  /** The Service that the shop address leads to; without one there is no such address. */
  readonly shop?: InnerOptions['shop'];
  /** Commands to try next. */
  readonly next: readonly string[];
};

const defaultPorts = { shop: 15_080, metrics: 15_090 } as const;

/** Runs the mesh and gives the exit code; says what goes wrong by itself. */
export async function runUp(wanted: UpRequest, io: Io): Promise<number> {
  const style = styleFor(io, false);
  try {
    return await up(wanted, io, style);
  } catch (error) {
    if (!(error instanceof UpFailure)) throw error;
    io.stderr.write(`${style.mark('fail')} fail  ${error.message}\n`);
    for (const fix of error.fixes) io.stderr.write(`  fix: ${style.hint(fix)}\n`);
    return error.exitCode;
  }
}

/** Everything of one run that later steps need. */
export type Run = {
  readonly wanted: UpRequest;
  readonly io: Io;
  readonly style: Style;
  readonly envoy: EnvoyBinary;
  readonly stateDirectory: string;
  readonly say: (mark: Parameters<Style['mark']>[0], text: string) => void;
};

async function up(wanted: UpRequest, io: Io, style: Style): Promise<number> {
  const say: Run['say'] = (mark, text) =>
    void io.stderr.write(`${style.mark(mark)} ${mark.padEnd(4)}  ${text}\n`);
  const stateDirectory = stateDirectoryOf(wanted.directory);
  await checkMachine(io);
  const envoy = await findEnvoy({ given: wanted.envoy, env: io.env });
  await prepareDirectory(wanted.directory, stateDirectory);
  // It holds the key of the mesh's root certificate, and nothing that belongs under version control.
  await kept(stateDirectory, writeFile(join(stateDirectory, '.gitignore'), '*\n'));
  const run: Run = { wanted, io, style, envoy, stateDirectory, say };
  // The listeners come first: a port that is taken is better known before anything has started.
  let sockets: string | undefined;
  const ports = await openPorts(run, () => sockets);
  try {
    const news = createNews((text) => say('warn', text));
    const mesh = await launch(launchOptions(run, ports, news.hear));
    sockets = socketDirectory(mesh.pid);
    return await accompany(run, { mesh, ports, sockets, lastWords: news.last });
  } finally {
    for (const { close } of Object.values(ports)) close?.();
  }
}

async function checkMachine(io: Io): Promise<void> {
  const missing = await findMissing(thisHost(io.env));
  if (missing.length === 0) return;
  throw new UpFailure(`this machine lacks ${missing.map(({ what }) => what).join(', ')}`, {
    fixes: [...new Set(missing.map(({ fix }) => fix))],
  });
}

async function prepareDirectory(directory: string, stateDirectory: string): Promise<void> {
  const found = await stat(directory).catch(() => undefined);
  if (found === undefined || !found.isDirectory()) {
    throw new UpFailure(`there is no directory ${directory}`, {
      exitCode: 64,
      fixes: ['name a directory of Kubernetes YAML, or try `weft up --demo`'],
    });
  }
  const running = await settledRunState(stateDirectory);
  if (running !== undefined) {
    throw new UpFailure(`a mesh runs from ${directory} already (pid ${running.pid})`, {
      fixes: ['use it, or end it first: `weft down`'],
    });
  }
  try {
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    await chmod(stateDirectory, 0o700);
    await access(stateDirectory, constants.W_OK);
  } catch (cause) {
    throw new UpFailure(`${stateDirectory} cannot be written, and the mesh's keys belong there`, {
      exitCode: 77,
      fixes: ['make the directory your own, or copy it to one that is'],
      cause,
    });
  }
}

/** Something of the state directory; a disk may be full. */
async function kept<T>(stateDirectory: string, work: Promise<T>): Promise<T> {
  return await work.catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UpFailure(`${stateDirectory} cannot be written: ${why}`, {
      fixes: ['make room there, or copy the directory to a disk that has some'],
      cause,
    });
  });
}

/** A mesh that was just killed takes the kernel a moment to clear away. */
async function settledRunState(stateDirectory: string): Promise<RunState | undefined> {
  let state = await readRunState(stateDirectory);
  for (let turn = 0; turn < 15 && state !== undefined; turn++) {
    if (await isAnswering(state)) break;
    await sleep(100);
    state = await readRunState(stateDirectory);
  }
  return state;
}

async function isAnswering({ pid }: RunState): Promise<boolean> {
  return (await stat(socketDirectory(pid)).catch(() => undefined)) !== undefined;
}

type Ports = { readonly shop?: HostPort; readonly metrics: HostPort };

async function openPorts(run: Run, sockets: () => string | undefined): Promise<Ports> {
  const { wanted, stateDirectory, say } = run;
  const path = (name: string) => () => {
    const directory = sockets();
    return directory === undefined ? undefined : `${directory}/${name}`;
  };
  const wish = (name: keyof typeof defaultPorts, asked?: number) => ({
    name: name === 'shop' ? 'the shop' : 'metrics',
    option: `--${name}-port`,
    preferred: defaultPorts[name],
    asked,
  });
  const moved = ({ name, preferred, asked }: PortWish, { port }: HostPort): void => {
    if (asked === undefined && port !== preferred)
      say('warn', `${preferred} is taken: ${name} ${name === 'metrics' ? 'are' : 'is'} on ${port}`);
  };
  const token = await kept(stateDirectory, metricsToken(stateDirectory));
  const metricsWish = wish('metrics', wanted.metricsPort);
  const metrics = await serveMetrics({ wish: metricsWish, token, path: path('agent.sock') });
  moved(metricsWish, metrics);
  if (wanted.shop === undefined) return { metrics };
  try {
    const shopWish = wish('shop', wanted.shopPort);
    const shop = await forwardPort(shopWish, path('shop.sock'));
    moved(shopWish, shop);
    return { metrics, shop };
  } catch (error) {
    metrics.close();
    throw error;
  }
}

function launchOptions(
  { wanted, io, envoy, stateDirectory }: Run,
  ports: Ports,
  onLine: (line: string) => void,
): Parameters<typeof launch>[0] {
  const { directory, launcher, separate, certificateTtlSeconds, outboundPolicy, shop } = wanted;
  // Pods find what their user finds, and the Node that runs Weft before any other.
  const extraPath = [
    ...wanted.extraPath,
    dirname(process.execPath),
    ...(io.env.PATH ?? '').split(':').filter((entry) => entry.startsWith('/')),
  ];
  const inner: InnerOptions = {
    directory,
    stateDirectory,
    version: wanted.version,
    launcher,
    extraPath,
    envoy: envoy.path,
    separate,
    certificateTtlSeconds,
    outboundPolicy,
    metricsAddress: `127.0.0.1:${ports.metrics.port}`,
    ...(shop === undefined ? {} : { shop }),
  };
  const programs = [...launcher.filter((part) => part.startsWith('/')).map(dirname), dirname(envoy.path)];
  return {
    launcher,
    args: ['internal', 'inner', JSON.stringify(inner)],
    reach: [projectOf(directory), directory, ...programs.map(projectOf), ...extraPath.map(projectOf)],
    rootless: process.getuid?.() !== 0,
    onLine,
  };
}

type Company = {
  readonly mesh: Launched;
  readonly ports: Ports;
  readonly sockets: string;
  readonly lastWords: () => readonly string[];
};

/** From the first process to the last. */
async function accompany(run: Run, company: Company): Promise<number> {
  const { io, stateDirectory, say, wanted } = run;
  const { mesh, ports } = company;
  const state: RunState = {
    pid: mesh.pid,
    startTime: (await startTimeOf(mesh.pid)) ?? '',
    version: wanted.version,
    directory: wanted.directory,
    ...(ports.shop === undefined ? {} : { shopUrl: `http://127.0.0.1:${ports.shop.port}` }),
    metricsUrl: `http://127.0.0.1:${ports.metrics.port}/metrics`,
  };
  const watching = new AbortController();
  let orderly = true;
  try {
    await kept(stateDirectory, writeRunState(stateDirectory, state));
    void keepRunState(stateDirectory, state, watching.signal);
    const shown = new AbortController();
    const signal = AbortSignal.any([shown.signal, io.signal]);
    const { sockets } = company;
    const showing = showStart(run, { sockets, state, signal }).then(() => tellChanges(say, sockets, signal));
    const end = await Promise.race([mesh.ended, aborted(io.signal)]);
    shown.abort();
    await showing;
    if (end === undefined) return await endMesh(mesh, say);
    if (end === 0) {
      say('ok', 'the mesh has ended, as it was told');
      return 0;
    }
    orderly = false;
    throw new UpFailure(`the mesh ended by itself (${end}): ${company.lastWords().join('\n  ')}`, {
      fixes: ['start it again; what it kept is in the directory alone'],
    });
  } finally {
    // Whatever came in between: without us there is no mesh.
    mesh.kill();
    watching.abort();
    // Who watches the mesh tells by this file whether it ended in order.
    if (orderly) await removeRunState(stateDirectory, state);
  }
}

const patience = 15_000;

async function endMesh(mesh: Launched, say: Run['say']): Promise<number> {
  say('wait', 'ending the mesh; Ctrl-C again ends it at once');
  mesh.end();
  const timer = new AbortController();
  await Promise.race([mesh.ended, sleep(patience, timer.signal)]);
  timer.abort();
  mesh.kill();
  await mesh.ended;
  say('ok', 'ended; nothing is left');
  return 0;
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  return await new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
