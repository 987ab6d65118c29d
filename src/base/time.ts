import { setTimeout as timeout } from 'node:timers/promises';

/** Milliseconds since the epoch. Passed in where a test must own time. */
export type Clock = () => number;

/** Waits `ms`, or until the signal aborts; never rejects. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  // An aborted sleep is an ended sleep: callers look at their signal anyway.
  await timeout(ms, undefined, signal ? { signal, ref: true } : undefined).catch(() => {});
}

/** Exponential back-off with full jitter: attempt 0 waits up to `base`, and never more than `cap` milliseconds. */
export function backoff(attempt: number, base: number, cap: number, random: () => number): number {
  return Math.ceil(random() * Math.min(cap, base * 2 ** Math.min(attempt, 30)));
}
