import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { sleep } from '../base/time.ts';
import type { Output } from './output.ts';

/** A program running in a pod. */
export type PodProcess = {
  /** In the mesh's process namespace. */
  readonly pid: number;
  /** How it ended, in words: `exit code 1`, `signal SIGKILL`. Never rejects. */
  readonly ended: Promise<string>;
  readonly isRunning: () => boolean;
  /** Resolves when nothing more can come of its output: it and all that it started have ended. */
  readonly silent: Promise<void>;
  /** SIGTERM to it and its children; SIGKILL to those that are left after `grace` milliseconds. */
  readonly stop: (grace: number) => Promise<void>;
};

export type ProcessOptions = {
  /** `/run/netns/<name>` */
  readonly netns: string;
  /** Runs as `sh -c` with `args` as `$1`… with mounts and a host name of its own, as root of the mesh; ends in an `exec`. */
  readonly script: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly output: Output;
};

/** Every stage execs the next: one process in the end. Not started counts as ended. */
export function startProcess(options: ProcessOptions): PodProcess {
  const child = spawn(
    'nsenter',
    [
      `--net=${options.netns}`,
      'unshare',
      '--mount',
      '--uts',
      'sh',
      '-c',
      options.script,
      'sh',
      ...options.args,
    ],
    // In a session of its own: a signal to the group reaches the program and its children, and nobody else.
    { cwd: options.directory, env: options.env, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  const silent = collect(child, options.output);
  let running = child.pid !== undefined;
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => {
      running = false;
      resolve(error.message);
    });
    child.on('exit', (code, signal) => {
      running = false;
      resolve(signal === null ? `exit code ${code}` : `signal ${signal}`);
    });
  });
  const pid = child.pid ?? 0;
  return {
    pid,
    ended,
    isRunning: () => running,
    silent,
    stop: async (grace) => {
      signalGroup(pid, 'SIGTERM');
      const timer = new AbortController();
      const late = sleep(grace, timer.signal).then(() => 'late');
      // The shell that started the program may be gone long before the program.
      await Promise.race([late, ended.then(() => groupEnd(pid, timer.signal))]);
      timer.abort();
      signalGroup(pid, 'SIGKILL');
      await ended;
    },
  };
}

/** Ends, at once, whatever a user still runs: what a pod's app left behind. */
export async function killUser(uid: number): Promise<void> {
  // What forks while we look is found in the next round; an attacker is stopped by the namespace's end at the latest.
  for (let round = 0; round < 10; round++) {
    const pids = await livingProcesses((status) => /^Uid:\s+(\d+)/m.exec(status)?.[1] === String(uid));
    if (pids.length === 0) return;
    for (const pid of pids) signal(pid, 'SIGKILL');
    await sleep(5);
  }
}

/** Waits until nothing of a process group lives. */
async function groupEnd(group: number, stop: AbortSignal): Promise<void> {
  const isMember = (status: string): boolean => /^NSpgid:.*?(\d+)$/m.exec(status)?.[1] === String(group);
  while (!stop.aborted && (await livingProcesses(isMember)).length > 0) await sleep(20, stop);
}

/** Zombies hold nothing and are no concern of ours. */
async function livingProcesses(wanted: (status: string) => boolean): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      // A process may end between the listing and the reading.
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      return !/^State:\s+Z/m.test(status) && wanted(status) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

async function collect(child: ChildProcess, output: Output): Promise<void> {
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.setEncoding('utf8').on('data', (text: string) => output.write(stream, text));
  }
  await new Promise((resolve) => child.on('close', resolve));
  output.flush();
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  // Without a process there is no pid; and a signal to group 0 would reach ourselves.
  if (pid > 0) signal(-pid, name);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself: what was wanted.
  }
}
