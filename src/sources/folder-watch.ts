import { type FSWatcher, watch } from 'node:fs';
import type { Logger } from '../base/log.ts';
import { sleep } from '../base/time.ts';

/** Milliseconds that a burst of events has to gather. */
const gatherTime = 5;

export type Watchers = Disposable & {
  /** Watches these folders (inodes by path) and no others; says whether one of them is new. */
  readonly set: (folders: ReadonlyMap<string, string>) => boolean;
  /** Returns after a change since the last call, or after `timeout` milliseconds, or when the signal aborts. */
  readonly change: (timeout: number, signal: AbortSignal) => Promise<void>;
};

/** One watch for each folder: Node's recursive watch makes one for each file. */
export function watchFolders(log: Logger): Watchers {
  const watched = new Map<string, { readonly inode: string; readonly watcher: FSWatcher | undefined }>();
  let changed = Promise.withResolvers<void>();
  const close = (folder: string): void => {
    watched.get(folder)?.watcher?.close();
    watched.delete(folder);
  };
  const open = (folder: string): FSWatcher | undefined => {
    try {
      const watcher = watch(folder, () => changed.resolve());
      // A folder that is removed ends its watch; the next look sees it gone.
      watcher.on('error', () => changed.resolve());
      return watcher;
    } catch (error) {
      log.warn('a folder cannot be watched; looking at it every two seconds', {
        folder,
        error: String(error),
      });
      return undefined;
    }
  };
  return {
    set: (folders) => {
      // A folder of another inode is another folder: the watch of the old one is dead.
      for (const [folder, { inode }] of watched) if (folders.get(folder) !== inode) close(folder);
      const fresh = [...folders].filter(([folder]) => !watched.has(folder));
      for (const [folder, inode] of fresh) watched.set(folder, { inode, watcher: open(folder) });
      return fresh.length > 0;
    },
    change: async (timeout, signal) => {
      using wait = abortable(signal);
      await Promise.race([changed.promise, sleep(timeout, wait.signal)]);
      await sleep(gatherTime, signal);
      changed = Promise.withResolvers();
    },
    [Symbol.dispose]: () => {
      for (const folder of [...watched.keys()]) close(folder);
    },
  };
}

/** A signal that also aborts when its owner is done, so that no timer outlives the wait it was for. */
function abortable(signal: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const own = new AbortController();
  const abort = (): void => own.abort();
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  return {
    signal: own.signal,
    [Symbol.dispose]: () => {
      signal.removeEventListener('abort', abort);
      abort();
    },
  };
}
