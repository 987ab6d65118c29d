import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { compareStrings } from '../base/sorted.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import type { Doors, Io } from './io.ts';
import { readStatus } from './mesh.ts';
import { asRecord } from './record.ts';

/** A mesh that runs now. */
export type Target = {
  readonly pid: number;
  /** Of the process, so that another one with the same pid is never taken for it. */
  readonly startTime: string;
  readonly version: string;
  /** Absolute. */
  readonly directory: string;
  readonly shopUrl?: string;
  readonly metricsUrl?: string;
  readonly sockets: {
    readonly admin: string;
    readonly agent: string;
    readonly runtime: string;
  };
};

export type Search = { readonly io: Io; readonly doors: Doors; readonly dir: string | undefined };

/** How a mesh came to be the one that is meant: by `--dir`, `WEFT_DIR`, the place one is at, or for want of another. */
type By = 'option' | 'environment' | 'place' | 'chance';

export type Found =
  | { readonly kind: 'running'; readonly target: Target; readonly by: By }
  | {
      readonly kind: 'none';
      readonly why: string;
      /** The place itself says that a mesh was there, or somebody named it. */
      readonly named: boolean;
      /** Directories of meshes that could have been meant. */
      readonly others: readonly string[];
    };

/**
 * `--dir`, `WEFT_DIR`, `.weft/run.json` here or above, then in one directory directly below, then the only mesh that
 * runs on this machine.
 */
export async function lookForTarget(search: Search): Promise<Found> {
  const { io, doors, dir } = search;
  const named = dir ?? (io.env.WEFT_DIR || undefined);
  if (named !== undefined) {
    const run = await readRun(resolve(io.cwd, named), doors);
    return settle(run, dir === undefined ? 'environment' : 'option', search);
  }
  const above = await upward(io.cwd, doors);
  if (above?.kind === 'running') return settle(above, 'place', search);
  const below = await downward(io.cwd, doors);
  const [first] = below;
  if (first && below.length === 1) return { kind: 'running', target: first, by: 'place' };
  if (first)
    return none(
      `several run directly below: ${below.map((one) => relative(io.cwd, one.directory)).join(', ')}`,
      below,
    );
  if (above) return settle(above, 'place', search);
  const running = await runningMeshes(doors, io.signal);
  const [only] = running;
  if (only && running.length === 1) return { kind: 'running', target: only, by: 'chance' };
  if (!only) return none(`no .weft/run.json in ${io.cwd}, above it or directly below`, []);
  return none(
    `several run on this machine: ${running.map(({ directory }) => directory).join(', ')}`,
    running,
  );
}

function none(why: string, others: readonly Target[]): Found {
  return { kind: 'none', why, named: false, others: others.map(({ directory }) => directory) };
}

async function settle(run: Run, by: By, { doors, io }: Search): Promise<Found> {
  if (run.kind === 'running') return { ...run, by };
  const running = await runningMeshes(doors, io.signal);
  return { ...run, named: true, others: running.map(({ directory }) => directory) };
}

type Run =
  | { readonly kind: 'running'; readonly target: Target }
  | { readonly kind: 'none'; readonly why: string };

/** The nearest `run.json` at or above a directory; a stale one does not hide a running mesh farther up. */
async function upward(from: string, doors: Doors): Promise<Run | undefined> {
  let stale: Run | undefined;
  for (let at = from; ; at = dirname(at)) {
    if (await exists(runFile(at))) {
      const found = await readRun(at, doors);
      if (found.kind === 'running') return found;
      stale ??= found;
    }
    if (dirname(at) === at) return stale;
  }
}

/** Meshes that run in a directory directly below. What may not be looked into is none of ours. */
async function downward(from: string, doors: Doors): Promise<readonly Target[]> {
  const names = await readdir(from).catch(() => []);
  const runs = await Promise.all(
    [...names].sort(compareStrings).map(async (name) => {
      const directory = join(from, name);
      return (await exists(runFile(directory))) ? readRun(directory, doors).catch(notReadable) : undefined;
    }),
  );
  return runs.flatMap((run) => (run?.kind === 'running' ? [run.target] : []));
}

function notReadable(error: unknown): undefined {
  if (!(error instanceof CommandFailure)) throw error;
}

async function readRun(directory: string, doors: Doors): Promise<Run> {
  const text = await readFile(runFile(directory), 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new CommandFailure(
      {
        exitCode: cause.code === 'EACCES' ? exitCodes.noPermission : exitCodes.failure,
        message: `${runFile(directory)} cannot be read: ${cause.message}`,
        next: 'run the command as the user that started the mesh',
      },
      cause,
    );
  });
  if (text === undefined) return { kind: 'none', why: `there is no ${runFile(directory)}` };
  const run = parseState(text);
  if (!run) return { kind: 'none', why: `${runFile(directory)} is damaged` };
  const startTime = await processStartTime(run.pid);
  if (startTime !== run.startTime) {
    return { kind: 'none', why: `${runFile(directory)} is left from a mesh that ended (pid ${run.pid})` };
  }
  const sockets = doors.socketDirectory(run.pid);
  return {
    kind: 'running',
    target: {
      ...run,
      directory: run.directory || directory,
      sockets: {
        admin: join(sockets, 'control-plane.admin.sock'),
        agent: join(sockets, 'agent.sock'),
        runtime: join(sockets, 'runtime.sock'),
      },
    },
  };
}

function parseState(text: string): Omit<Target, 'sockets'> | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Half a file, from a machine that went down: as good as none.
    return undefined;
  }
  const fields = asRecord(parsed);
  const { pid } = fields;
  if (typeof pid !== 'number' || !Number.isInteger(pid) || pid <= 0) return undefined;
  const textAt = (name: string): string => String(fields[name] ?? '');
  const [shopUrl, metricsUrl] = [textAt('shopUrl'), textAt('metricsUrl')];
  return {
    pid,
    startTime: textAt('startTime'),
    version: textAt('version'),
    directory: textAt('directory'),
    ...(shopUrl && { shopUrl }),
    ...(metricsUrl && { metricsUrl }),
  };
}

/** Field 22 of `/proc/<pid>/stat`, counted after the name, which may hold spaces and brackets. */
export async function processStartTime(pid: number): Promise<string | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return line?.slice(line.lastIndexOf(')') + 2).split(' ')[19];
}

export async function isRunning({ pid, startTime }: Target): Promise<boolean> {
  return (await processStartTime(pid)) === startTime;
}

/** Whoever ends a mesh in order takes its `run.json` away. */
export async function isTidy({ directory }: Target): Promise<boolean> {
  return !(await exists(runFile(directory)));
}

/** Meshes of this user, found by their sockets. Several processes may see the same mesh; it counts once. */
async function runningMeshes(doors: Doors, signal: AbortSignal): Promise<Target[]> {
  const names = await readdir('/proc').catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => meshOf(pid, doors, signal)));
  const byPid = new Map(found.flatMap((target) => (target ? [[target.pid, target]] : [])));
  return [...byPid.values()];
}

async function meshOf(pid: number, doors: Doors, signal: AbortSignal): Promise<Target | undefined> {
  const socketPath = join(doors.socketDirectory(pid), 'control-plane.admin.sock');
  if (!(await exists(socketPath))) return undefined;
  try {
    const { controlPlane } = await readStatus({ socketPath, signal, timeout: 1000 });
    const found = await readRun(controlPlane.directory, doors);
    return found.kind === 'running' ? found.target : undefined;
  } catch (error) {
    // A mesh that just ends, or that does not answer, is not one to choose unasked.
    if (error instanceof CommandFailure) return undefined;
    throw error;
  }
}

function runFile(directory: string): string {
  return join(directory, '.weft', 'run.json');
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
