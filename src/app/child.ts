import { spawn } from 'node:child_process';
import type { Logger } from '../base/log.ts';
import { sleep } from '../base/time.ts';

export type ChildOptions = {
  readonly name: string;
  readonly command: readonly string[];
  readonly log: Logger;
  readonly random: () => number;
};

const grace = 5_000;
/** A process that has run this long is no quick failure. */
const steadyAfter = 10_000;

/** Keeps a process of this program running until the signal aborts; resolves when it has ended. */
export async function superviseChild(options: ChildOptions, signal: AbortSignal): Promise<void> {
  const { name, log } = options;
  let failures = 0;
  while (!signal.aborted) {
    const startedAt = performance.now();
    const end = await runChild(options, signal);
    if (signal.aborted) return;
    failures = performance.now() - startedAt > steadyAfter ? 0 : failures + 1;
    const wait = restartDelay(failures, options.random);
    log.warn(`${name} ended (${end}); started again`, { afterMilliseconds: wait });
    await sleep(wait, signal);
  }
}

/** A tenth of a second after the first end, doubling to 10 s, a fifth more or less. */
export function restartDelay(failures: number, random: () => number): number {
  const delay = Math.min(10_000, 100 * 2 ** Math.min(Math.max(0, failures - 1), 10));
  return Math.round(delay * (0.8 + 0.4 * random()));
}

async function runChild({ command, log, name }: ChildOptions, signal: AbortSignal): Promise<string> {
  const [program = '', ...args] = command;
  // Its input stays open as long as we live; what it says is ours to say.
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'inherit'] });
  child.stdin?.on('error', () => {});
  log.info(`${name} started`, { pid: child.pid });
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signalName) => resolve(signalName ?? `exit code ${code}`));
  });
  const timer = new AbortController();
  const stop = (): void => {
    child.kill('SIGTERM');
    void sleep(grace, timer.signal).then(() => child.kill('SIGKILL'));
  };
  signal.addEventListener('abort', stop);
  const end = await ended;
  timer.abort();
  signal.removeEventListener('abort', stop);
  return end;
}
