/** What a server process has used; asked of it by a benchmark. Needs `--expose-gc`. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Microseconds of CPU of this process, all threads. */
export function cpuNow(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

export type Memory = { readonly rss: number; readonly heap: number; readonly buffers: number };

/** Bytes, after everything that can be let go has been. */
export async function memoryNow(): Promise<Memory> {
  for (let times = 0; times < 4; times++) {
    globalThis.gc?.();
    await sleep(100);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed, buffers: external };
}
