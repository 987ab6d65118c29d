/**
 * A value that others follow. Each follower gets the newest value, then every later one it is quick enough to see:
 * a slow follower skips what is no longer true instead of queueing it.
 */
export type Latest<T> = {
  readonly set: (value: T) => void;
  /** Ends when the signal aborts. Yields nothing until the first `set`. */
  readonly follow: (signal: AbortSignal) => AsyncIterable<T>;
};

export function createLatest<T>(): Latest<T> {
  let current: { readonly value: T } | undefined;
  const wakers = new Set<() => void>();
  return {
    set: (value) => {
      current = { value };
      for (const wake of wakers) wake();
    },
    follow: async function* (signal) {
      let seen: { readonly value: T } | undefined;
      while (!signal.aborted) {
        if (current !== undefined && current !== seen) {
          seen = current;
          yield current.value;
          continue;
        }
        await nextWake(wakers, signal);
      }
    },
  };
}

/** Waits until somebody calls what it puts into `wakers`, or the signal aborts. It takes itself out. */
export function nextWake(wakers: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      wakers.delete(wake);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    wakers.add(wake);
    signal.addEventListener('abort', wake);
    if (signal.aborted) wake();
  });
}
