/**
 * A whole mesh for tests, as a user has it: `weft up` on a directory of its own, ended by Ctrl-C. Its end is part of every test:
 * nothing may be left of it on this machine.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunState, readRunState, stateDirectoryOf } from '../../src/app/run-state.ts';
import { findEnvoy } from './envoy.ts';

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };
export type Answer = { readonly status: number; readonly body: string };

/** One pod, as the runtime reports it; its pids are those inside the mesh. */
export type MeshPod = {
  readonly namespace: string;
  readonly pod: string;
  readonly workload: string;
  readonly ip: string;
  readonly phase: string;
  readonly ready: boolean;
  readonly meshed: boolean;
  readonly pids: { readonly app: number; readonly proxy: number };
  readonly restarts: number;
  readonly proxyRestarts: number;
  readonly message: string;
};

export type Mesh = AsyncDisposable & {
  readonly directory: string;
  /** Of the mesh's first process, as this machine sees it. */
  readonly pid: number;
  /** `weft up` itself. */
  readonly outer: ChildProcess;
  readonly shopUrl: string;
  readonly metricsUrl: string;
  /** What `weft up` has said so far. */
  readonly said: () => string;
  /** Runs the program in the mesh's directory. Never throws. */
  readonly weft: (...args: readonly string[]) => Promise<Ran>;
  /** The same with `-o json`; throws unless it ends with 0. */
  readonly json: <T>(...args: readonly string[]) => Promise<T>;
  /** Puts a file into place whole, as editors do. */
  readonly write: (file: string, text: string) => Promise<void>;
  readonly remove: (file: string) => Promise<void>;
  /** `weft apply`, which waits until every proxy runs it; throws unless that ends with 0. */
  readonly apply: (yaml: string) => Promise<void>;
  /** Lines of a workload's first pod, oldest first; none when it does not run. */
  readonly logs: (workload: string, container?: 'app' | 'proxy') => Promise<readonly string[]>;
  readonly pods: (workload?: string) => Promise<readonly MeshPod[]>;
  /** The first pod of a workload, which must be there. */
  readonly pod: (workload: string) => Promise<MeshPod>;
  /** Runs a command in a pod's network, as root, seeing this machine's files. */
  readonly inNamespaceOf: (pod: MeshPod, command: readonly string[]) => Promise<Ran>;
  /** Runs a command just where a pod's app or proxy runs: its namespaces, its user, its lack of privileges. */
  readonly asProcessOf: (pod: MeshPod, part: 'app' | 'proxy', command: readonly string[]) => Promise<Ran>;
  /** A process of the mesh, as this machine sees it. */
  readonly hostPid: (pid: number) => Promise<number>;
  /** GETs from one of the mesh's unix sockets, as root. */
  readonly ask: (socket: string, path: string) => Promise<Answer>;
  /** Waits until every pod is ready and every proxy in sync. */
  readonly settled: () => Promise<void>;
};

export type MeshOptions = {
  readonly demo?: true;
  readonly files?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  /** Words before the command line, to run it in another place or as another user. */
  readonly below?: (directory: string) => readonly string[];
  /** Hand it over before everything is ready. */
  readonly unready?: true;
};

const root: string = join(import.meta.dirname, '../..');
export const bundle: string = join(root, 'dist/weft.mjs');

export async function startMesh(options: MeshOptions = {}): Promise<Mesh> {
  const before = await hostState();
  const directory = await mkdtemp(join(tmpdir(), 'weft-mesh-'));
  // Pods are started here as users of their own.
  await chmod(directory, 0o755);
  for (const [file, text] of Object.entries(options.files ?? {})) {
    await writeFile(join(directory, file), text);
  }
  const outer = await startUp(directory, options);
  const said: string[] = [];
  outer.stdout?.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  outer.stderr?.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  try {
    const run = await eventually('the mesh has its namespaces', async () => {
      assert.equal(outer.exitCode, null, said.join(''));
      return readRunState(stateDirectoryOf(directory));
    });
    const mesh = meshOf({ directory, outer, run, said, before });
    if (options.unready !== true) await mesh.settled();
    return mesh;
  } catch (error) {
    outer.kill('SIGKILL');
    console.error(said.join(''));
    throw error;
  }
}

/** The program as users start it, but ended by the kernel when this test process ends. */
async function startUp(directory: string, options: MeshOptions): Promise<ChildProcess> {
  const { demo, flags = [], below = () => [] } = options;
  const metrics = String(await freePort());
  const shop = String(await freePort());
  const args = ['--dir', directory, '--metrics-port', metrics, '--shop-port', shop, ...flags];
  const program = [process.execPath, bundle, 'up', ...(demo ? ['--demo'] : []), ...args];
  return spawn('setpriv', ['--pdeathsig', 'KILL', ...below(directory), ...program], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: programEnv(),
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

/** The test runner's own variables are none of the program's. */
export function programEnv(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, WEFT_DIR: __, ...env } = process.env;
  return { ...env, ENVOY_PATH: findEnvoy() };
}

type Parts = {
  readonly directory: string;
  readonly outer: ChildProcess;
  readonly run: RunState;
  readonly said: readonly string[];
  readonly before: HostState;
};

function meshOf({ directory, outer, run, said, before }: Parts): Mesh {
  const { pid } = run;
  const weft: Mesh['weft'] = (...args) =>
    exec([process.execPath, bundle, ...args], { cwd: directory, env: programEnv() });
  const ask: Mesh['ask'] = (socket, path) => askSocket(`/proc/${pid}/root/run/weft/${socket}`, path);
  const pods: Mesh['pods'] = async (workload) => {
    const { body } = await ask('runtime.sock', '/v1/workloads');
    const all: { readonly workloads: readonly MeshPod[] } = JSON.parse(body);
    return all.workloads.filter((pod) => workload === undefined || pod.workload === workload);
  };
  const hostPid: Mesh['hostPid'] = (inner) => findHostPid(pid, inner);
  return {
    directory,
    pid,
    outer,
    shopUrl: run.shopUrl ?? '',
    metricsUrl: run.metricsUrl ?? '',
    said: () => said.join(''),
    weft,
    json: async (...args) => {
      const { code, stdout, stderr } = await weft(...args, '-o', 'json');
      assert.equal(code, 0, `weft ${args.join(' ')}: ${stderr}`);
      return JSON.parse(stdout);
    },
    write: async (file, text) => {
      await writeFile(join(directory, '.new'), text);
      await rename(join(directory, '.new'), join(directory, file));
    },
    remove: (file) => rm(join(directory, file)),
    apply: (yaml) => apply(weft, yaml),
    logs: (workload, container = 'app') => readLogs(ask, pods, { workload, container }),
    pods,
    pod: async (workload) => {
      const [first] = await pods(workload);
      assert.ok(first !== undefined, `no pod of ${workload} runs`);
      return first;
    },
    hostPid,
    inNamespaceOf: async ({ pids }, command) =>
      exec(['nsenter', `--net=/proc/${await hostPid(pids.app || pids.proxy)}/ns/net`, ...command]),
    asProcessOf: async ({ pids }, part, command) => runAs(await hostPid(pids[part]), command),
    ask,
    settled: () => settled({ outer, said, pods, weft }),
    [Symbol.asyncDispose]: () => endMesh({ directory, outer, run, said, before }),
  };
}

async function apply(weft: Mesh['weft'], yaml: string): Promise<void> {
  const file = join(await mkdtemp(join(tmpdir(), 'weft-apply-')), 'objects.yaml');
  await writeFile(file, yaml);
  const { code, stderr } = await weft('apply', '-f', file, '--timeout', '60s');
  await rm(dirname(file), { recursive: true });
  assert.equal(code, 0, stderr);
}

async function readLogs(
  ask: Mesh['ask'],
  pods: Mesh['pods'],
  { workload, container }: { readonly workload: string; readonly container: string },
): Promise<readonly string[]> {
  const [pod] = await pods(workload);
  if (pod === undefined) return [];
  const path = `/v1/logs?workload=${pod.namespace}/${pod.pod}&container=${container}&tail=2000`;
  const { body } = await ask('runtime.sock', path);
  const entries: readonly { readonly text: string }[] = body
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  return entries.map(({ text }) => text);
}

async function settled({
  outer,
  said,
  pods,
  weft,
}: Pick<Mesh, 'outer' | 'pods' | 'weft'> & { readonly said: readonly string[] }): Promise<void> {
  let waiting = 'the runtime does not answer';
  const isReady = async (): Promise<true | undefined> => {
    assert.equal(outer.exitCode, null, said.join(''));
    const all = await pods();
    waiting = all
      .filter(({ ready }) => !ready)
      .map(({ pod, message }) => `${pod}: ${message}`)
      .join('; ');
    return all.length > 0 && waiting === '' ? true : undefined;
  };
  await eventually(() => `every pod is ready (${waiting})`, isReady);
  await eventually('every proxy is in sync', async () => {
    const { code, stderr } = await weft('status', '--wait', '--timeout', '60s');
    return code === 0 || stderr.includes('there are no proxies') ? true : undefined;
  });
}

/** Asks until there is an answer, for minutes when it must be: machines differ, and a wrong answer never becomes a right one. */
export async function eventually<T>(
  what: string | (() => string),
  look: () => Promise<T | undefined> | T | undefined,
  options: { readonly tries?: number; readonly every?: number } = {},
): Promise<T> {
  const { tries = 900, every = 100 } = options;
  let failure: unknown;
  for (let turn = 0; turn < tries; turn++) {
    try {
      const found = await look();
      if (found !== undefined) return found;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    await sleep(every);
  }
  throw new Error(`never came true: ${typeof what === 'string' ? what : what()}`, { cause: failure });
}

export function exec(
  command: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv; readonly input?: string } = {},
): Promise<Ran> {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const { cwd, env } = options;
    const child = spawn(program, args, {
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env }),
      timeout: 120_000,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 137, stdout, stderr }));
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
  });
}

export function askSocket(socketPath: string, path: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method, agent: false, timeout: 20_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.on('timeout', () => sent.destroy(new Error(`${socketPath}${path} does not answer`)));
    sent.on('error', reject);
    sent.end();
  });
}

/** Joins a process: its namespaces, its user, and no privilege more than it has. */
async function runAs(pid: number, command: readonly string[]): Promise<Ran> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const id = (name: string): string => new RegExp(`^${name}:\\t(\\d+)`, 'm').exec(status)?.[1] ?? '';
  const bare = ['--clear-groups', '--no-new-privs', '--bounding-set', '-all', '--inh-caps', '-all'];
  const user = ['setpriv', '--reuid', id('Uid'), '--regid', id('Gid'), ...bare];
  const where = ['--target', String(pid), '--net', '--mount', '--pid', '--ipc', '--uts'];
  return exec(['nsenter', ...where, ...user, ...command]);
}

async function findHostPid(meshPid: number, inner: number): Promise<number> {
  for (const { pid } of await processesOf(meshPid)) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    if (/^NSpid:.*\t(\d+)$/m.exec(status)?.[1] === String(inner)) return pid;
  }
  throw new Error(`the mesh has no process ${inner}`);
}

export type Process = { readonly pid: number; readonly start: string };

/** Every process in the process namespace of a mesh. */
export async function processesOf(meshPid: number): Promise<readonly Process[]> {
  const namespace = await readlink(`/proc/${meshPid}/ns/pid`);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      // Processes come and go while we look.
      const own = await readlink(`/proc/${pid}/ns/pid`).catch(() => '');
      return own === namespace ? [{ pid, start: await startOf(pid) }] : [];
    }),
  );
  return found.flat().filter(({ start }) => start !== '');
}

/** With its start a pid names one process for ever; `''` when there is none, or only its corpse. */
export async function startOf(pid: number): Promise<string> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? '' : (fields[19] ?? '');
}

export type HostState = {
  readonly links: readonly string[];
  readonly namespaces: readonly string[];
  readonly rules: string;
};

/** Everything of this machine that a mesh might forget to clear away. */
export async function hostState(): Promise<HostState> {
  const { stdout: links } = await exec(['ip', '-o', 'link', 'show']);
  const { stdout: rules } = await exec(['nft', 'list', 'ruleset']);
  return {
    links: [...links.matchAll(/^\d+: ([^:@]+)/gm)].map(([, name = '']) => name).sort(),
    namespaces: (await readdir('/run/netns').catch((): string[] => [])).sort(),
    rules,
  };
}

export async function endMesh({ directory, outer, run, said, before }: Parts): Promise<void> {
  const processes = await processesOf(run.pid).catch(() => []);
  const own = outer.pid ?? 0;
  const all = [...processes, { pid: own, start: await startOf(own) }].filter(({ start }) => start !== '');
  const ended = new Promise((resolve) => outer.once('close', resolve));
  const endedBefore = outer.exitCode ?? outer.signalCode;
  if (endedBefore === null) {
    outer.kill('SIGINT');
    await ended;
  }
  try {
    assert.equal(endedBefore, null, 'the mesh ended by itself');
    await nothingIsLeft(all, before);
  } catch (error) {
    console.error(said.join(''));
    throw error;
  }
  await rm(directory, { recursive: true, force: true });
}

export async function nothingIsLeft(processes: readonly Process[], before: HostState): Promise<void> {
  let left: readonly Process[] = [];
  await eventually(
    () => `all processes have ended: ${left.map(({ pid }) => pid).join(', ')} have not`,
    async () => {
      const now = await Promise.all(processes.map(async ({ pid }) => startOf(pid)));
      left = processes.filter(({ start }, index) => now[index] === start);
      return left.length === 0 ? true : undefined;
    },
    { tries: 300 },
  );
  assert.deepEqual(await hostState(), before, 'the machine is as it was');
}
