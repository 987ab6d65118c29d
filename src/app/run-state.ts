import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '../base/time.ts';

/** Where a running mesh is found: `<directory>/.weft/run.json`. */
export type RunState = {
  /** Of the first process of the mesh, as the host sees it. Its end is the mesh's end. */
  readonly pid: number;
  /** Field 22 of its `/proc/<pid>/stat`: with the pid it names one process for ever. */
  readonly startTime: string;
  readonly version: string;
  readonly directory: string;
  readonly shopUrl?: string;
  readonly metricsUrl?: string;
};

export function stateDirectoryOf(directory: string): string {
  return join(directory, '.weft');
}

/** Sockets of the mesh whose first process is `pid`, as the host reaches them. */
export function socketDirectory(pid: number): string {
  return `/proc/${pid}/root${innerSockets}`;
}

/** The same, seen from inside. */
export const innerSockets = '/run/weft';

export async function writeRunState(stateDirectory: string, state: RunState): Promise<void> {
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  const path = runFile(stateDirectory);
  await writeFile(`${path}.new`, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** The mesh that runs now, if one does. A file that is left from another, or damaged, counts as none. */
export async function readRunState(stateDirectory: string): Promise<RunState | undefined> {
  const text = await readFile(runFile(stateDirectory), 'utf8').catch(() => '');
  const state = parseRunState(text);
  if (state === undefined || (await startTimeOf(state.pid)) !== state.startTime) return undefined;
  return state;
}

const lookEvery = 2_000;

/** Writes the file again when somebody removed it, so that a mesh that runs can be found, until the signal aborts. */
export async function keepRunState(
  stateDirectory: string,
  state: RunState,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(lookEvery, signal);
    const there = await readFile(runFile(stateDirectory)).then(
      () => true,
      () => false,
    );
    // Where it cannot be written now, the next look tries again.
    if (!there && !signal.aborted) await writeRunState(stateDirectory, state).catch(() => {});
  }
}

/** Leaves the file of a mesh that was started meanwhile. */
export async function removeRunState(stateDirectory: string, own: RunState): Promise<void> {
  const text = await readFile(runFile(stateDirectory), 'utf8').catch(() => '');
  const state = parseRunState(text);
  if (state?.pid !== own.pid || state.startTime !== own.startTime) return;
  await rm(runFile(stateDirectory), { force: true });
}

/** `undefined` when there is no such process. The name before the fields may hold spaces and brackets. */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return line?.slice(line.lastIndexOf(')') + 2).split(' ')[19];
}

function runFile(stateDirectory: string): string {
  return join(stateDirectory, 'run.json');
}

function parseRunState(text: string): RunState | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const fields: Partial<Record<keyof RunState, unknown>> = value;
    const { pid, startTime, version, directory, shopUrl, metricsUrl } = fields;
    if (typeof pid !== 'number' || typeof startTime !== 'string') return undefined;
    return {
      pid,
      startTime,
      version: String(version),
      directory: String(directory),
      ...(typeof shopUrl === 'string' ? { shopUrl } : {}),
      ...(typeof metricsUrl === 'string' ? { metricsUrl } : {}),
    };
  } catch {
    // Half a file, from a machine that went down: as good as none.
    return undefined;
  }
}
