import { sleep } from '../base/time.ts';
import { parseDuration, showDuration } from './duration.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import type { Doors, Io } from './io.ts';
import type { AdminSocket } from './mesh.ts';
import type { Format } from './output.ts';
import type { Style } from './style.ts';
import type { Target } from './target.ts';

/** One run of one command. */
export type Call = {
  readonly io: Io;
  readonly doors: Doors;
  /** As typed, without the program. */
  readonly argv: readonly string[];
  /** What is not an option, without the command's own words. */
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly style: Style;
  readonly format: Format;
};

export type Command = { readonly run: (call: Call) => Promise<ExitCode> };

export function textOption(call: Call, name: string): string | undefined {
  const value = call.options[name];
  return typeof value === 'string' ? value : undefined;
}

export function flagOption(call: Call, name: string): boolean {
  return call.options[name] === true;
}

/** Milliseconds. The command table gives a default, so that only what the user typed can be wrong. */
export function durationOption(call: Call, name: string): number {
  const text = textOption(call, name) ?? '';
  const parsed = parseDuration(text);
  if (parsed !== undefined && parsed > 0) return parsed;
  throw wrongOption(name, text, 'write it like 500ms, 30s, 5m or 24h');
}

export function wholeNumberOption(call: Call, name: string, max: number): number {
  const text = textOption(call, name) ?? '';
  const parsed = Number(text);
  if (/^\d+$/.test(text) && parsed <= max) return parsed;
  throw wrongOption(name, text, `write a whole number from 0 to ${max}`);
}

function wrongOption(name: string, text: string, fix: string): CommandFailure {
  const option = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return new CommandFailure({
    exitCode: exitCodes.usage,
    message: `--${option} cannot be "${text}"`,
    next: fix,
  });
}

export function adminSocket(call: Call, { sockets }: Target): AdminSocket {
  return { socketPath: sockets.admin, signal: call.io.signal };
}

export function agentSocket(call: Call, { sockets }: Target): AdminSocket {
  return { socketPath: sockets.agent, signal: call.io.signal };
}

/** `-n`; `undefined` for all namespaces, which is also what it is without `-n`. */
export function namespaceOption(call: Call): string | undefined {
  return flagOption(call, 'allNamespaces') ? undefined : textOption(call, 'namespace');
}

export type Wait<T> = {
  /** Milliseconds. */
  readonly timeout: number;
  /** One look; `undefined` while what is waited for is not there. */
  readonly look: () => Promise<T | undefined>;
  /** Said once, after 100 ms of waiting, and again whenever it changes. */
  readonly describe: () => string;
  readonly next: string;
};

/** Looks until there is something, at least once. Past the timeout it is a failure that says what was missing. */
export async function waitFor<T>(call: Call, wait: Wait<T>): Promise<T> {
  const started = performance.now();
  let said = '';
  for (;;) {
    const found = await wait.look();
    if (found !== undefined) return found;
    call.io.signal.throwIfAborted();
    const waited = performance.now() - started;
    if (waited >= wait.timeout) {
      throw new CommandFailure({
        exitCode: exitCodes.timeout,
        message: `gave up after ${showDuration(wait.timeout)}: ${wait.describe()}`,
        next: wait.next,
      });
    }
    if (waited >= 100 && said !== wait.describe()) {
      said = wait.describe();
      call.io.stderr.write(`${call.style.mark('wait')} ${said}\n`);
    }
    await sleep(Math.min(100, wait.timeout - waited), call.io.signal);
  }
}
