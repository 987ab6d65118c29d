import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
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

/** `--dir`, `WEFT_DIR`, `.weft/run.json` upward from here, then the only mesh that runs on this machine. */
export async function findTarget(search: Search): Promise<Target> {
  const found = await lookForTarget(search);
  if (found.kind === 'running') return found.target;
  throw new CommandFailure({
    exitCode: exitCodes.unreachable,
    message: 'no mesh is running here',
    why: found.why,
    next: 'start it with: weft up',
  });
}

export type Found =
  | { readonly kind: 'running'; readonly target: Target }
  | { readonly kind: 'none'; readonly why: string };

/** As `findTarget`, for commands that can do without. */
export async function lookForTarget({ io, doors, dir }: Search): Promise<Found> {
  const named = dir ?? (io.env.WEFT_DIR || undefined);
  if (named !== undefined) return readRun(resolve(io.cwd, named), doors);
  const above = await upward(io.cwd, doors);
  if (above) return above;
  const running = await runningMeshes(doors, io.signal);
  const [only] = running;
  if (only && running.length === 1) return { kind: 'running', target: only };
  if (running.length === 0) return { kind: 'none', why: `no .weft/run.json in ${io.cwd} or above it` };
  const where = running.map(({ directory }) => directory).join(', ');
  return { kind: 'none', why: `several run elsewhere: ${where}; choose one with --dir` };
}

/** The nearest `run.json` at or above a directory; a stale one does not hide a running mesh farther up. */
async function upward(from: string, doors: Doors): Promise<Found | undefined> {
  let stale: Found | undefined;
  for (let at = from; ; at = dirname(at)) {
    if (await exists(runFile(at))) {
      const found = await readRun(at, doors);
      if (found.kind === 'running') return found;
      stale ??= found;
    }
    if (dirname(at) === at) return stale;
  }
}

async function readRun(directory: string, doors: Doors): Promise<Found> {
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
  const run = parseRun(text);
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

type Run = Omit<Target, 'sockets'>;

function parseRun(text: string): Run | undefined {
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
