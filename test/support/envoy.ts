/**
 * A real Envoy for tests: found, started on a bootstrap, asked over its admin socket, and ended for certain.
 * It ends with the test process (parent-death signal), with its lifetime, and when disposed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';

/** `ENVOY_PATH`, else `envoy` on the PATH, else the one `weft` keeps in the user's cache. Throws when there is none. */
export function findEnvoy(): string {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const candidates = [
    process.env.ENVOY_PATH ?? '',
    ...(process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, 'envoy')),
    join(cache, 'weft/envoy-1.40.0/envoy'),
  ];
  const found = candidates.find((file) => file !== '' && isExecutable(file));
  if (found === undefined) throw new Error('no Envoy found: set ENVOY_PATH, or run `npm run setup`');
  return found;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    // Not there, or not ours to run: either way not a candidate.
    return false;
  }
}

export type AdminAnswer = { readonly status: number; readonly body: string };

export type RunningEnvoy = AsyncDisposable & {
  readonly pid: number;
  /** A private temporary directory, removed on disposal; holds `bootstrap.json` and `admin.sock`. */
  readonly directory: string;
  readonly adminSocket: string;
  readonly admin: (path: string, method?: 'GET' | 'POST') => Promise<AdminAnswer>;
  /** Parsed `GET /config_dump?include_eds`. */
  readonly configDump: () => Promise<{ readonly configs: readonly Record<string, unknown>[] }>;
  /** Waits until `/ready` answers 200 (listeners have arrived); throws with the log's end when it does not. */
  readonly ready: (withinMs?: number) => Promise<void>;
  readonly log: () => string;
  /** The exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
};

export type EnvoyOptions = {
  /** YAML or JSON text. Admin is set to a unix socket; a missing node gets an id. */
  readonly bootstrap: string;
  readonly lifetimeMs?: number;
  readonly logLevel?: 'trace' | 'debug' | 'info' | 'warn';
  readonly args?: readonly string[];
};

export async function startEnvoy(options: EnvoyOptions): Promise<RunningEnvoy> {
  const directory = mkdtempSync(join(tmpdir(), 'weft-envoy-'));
  const adminSocket = join(directory, 'admin.sock');
  const file = join(directory, 'bootstrap.json');
  writeFileSync(file, JSON.stringify(completed(options.bootstrap, adminSocket)));
  const log: string[] = [];
  const child = run(file, options, log);
  const exited = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    child.once('error', (error) => resolve(error.message));
  });
  const lifetime = setTimeout(() => child.kill('SIGKILL'), options.lifetimeMs ?? 60_000);
  lifetime.unref();

  const admin = (path: string, method: 'GET' | 'POST' = 'GET'): Promise<AdminAnswer> =>
    ask(adminSocket, path, method);
  const started = await answers(admin, exited, log);
  if (!started) {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
    throw new Error(`Envoy did not start:\n${tail(log)}`);
  }
  return {
    // A child whose admin answers has been spawned, so it has a pid.
    pid: child.pid as number,
    directory,
    adminSocket,
    admin,
    configDump: async () => JSON.parse((await admin('/config_dump?include_eds')).body),
    ready: (withinMs = 10_000) => isReady(admin, log, withinMs),
    log: () => log.join(''),
    exited,
    async [Symbol.asyncDispose]() {
      clearTimeout(lifetime);
      child.kill('SIGKILL');
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function completed(bootstrap: string, adminSocket: string): Record<string, unknown> {
  const given: Record<string, unknown> = parse(bootstrap) ?? {};
  return {
    node: { id: 'test/envoy', cluster: 'test' },
    ...given,
    admin: { address: { pipe: { path: adminSocket, mode: 0o600 } } },
  };
}

function run(file: string, options: EnvoyOptions, log: string[]): ChildProcess {
  const args = ['-c', file, '--disable-hot-restart', '--concurrency', '1', '-l', options.logLevel ?? 'warn'];
  const command = ['--pdeathsig', 'KILL', findEnvoy(), ...args, ...(options.args ?? [])];
  const child = spawn('setpriv', command, { stdio: ['ignore', 'pipe', 'pipe'] });
  const keep = (chunk: Buffer): void => {
    log.push(chunk.toString());
    if (log.length > 2_000) log.splice(0, 1_000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return child;
}

async function answers(
  admin: (path: string) => Promise<AdminAnswer>,
  exited: Promise<unknown>,
  log: string[],
): Promise<boolean> {
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  for (let tries = 0; tries < 500 && !ended; tries++) {
    const answer = await admin('/server_info').catch(() => undefined);
    if (answer?.status === 200) return true;
    await sleep(20);
  }
  log.push(ended ? '\n(it has exited)' : '\n(its admin socket does not answer)');
  return false;
}

async function isReady(
  admin: (path: string) => Promise<AdminAnswer>,
  log: readonly string[],
  withinMs: number,
): Promise<void> {
  for (let waited = 0; waited < withinMs; waited += 20) {
    const answer = await admin('/ready').catch(() => undefined);
    if (answer?.status === 200) return;
    await sleep(20);
  }
  throw new Error(`Envoy is not ready after ${withinMs} ms:\n${tail(log)}`);
}

function tail(log: readonly string[]): string {
  return log.join('').split('\n').slice(-30).join('\n');
}

function ask(socketPath: string, path: string, method: string): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, method, agent: false, timeout: 5_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
    });
    asked.on('timeout', () => asked.destroy(new Error(`${path}: no answer from Envoy's admin in 5 s`)));
    asked.on('error', reject);
    asked.end();
  });
}
