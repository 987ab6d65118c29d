import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A directory of objects that another process watches. Writes only what has changed. */
export type Publisher = {
  /** Makes the directory hold exactly these, one file each; resolves when it does. Calls are carried out in order. */
  readonly publish: (objects: ReadonlyMap<string, object>) => Promise<void>;
};

/** `beside` is a directory on the same file system, where nobody watches: files are moved in whole. */
export async function createPublisher(directory: string, beside: string): Promise<Publisher> {
  await mkdir(directory, { recursive: true });
  await mkdir(beside, { recursive: true });
  const written = new Map<string, string>();

  const write = async (objects: ReadonlyMap<string, object>): Promise<void> => {
    for (const [name, object] of objects) {
      const text = `${JSON.stringify(object)}\n`;
      if (written.get(name) === text) continue;
      await writeFile(join(beside, name), text);
      await rename(join(beside, name), join(directory, name));
      written.set(name, text);
    }
    for (const name of [...written.keys()].filter((key) => !objects.has(key))) {
      await rm(join(directory, name), { force: true });
      written.delete(name);
    }
  };

  let last: Promise<void> = Promise.resolve();
  return {
    publish: (objects) => {
      const turn = last.then(() => write(objects));
      // One failed write must not stop those after it; its own caller hears of it.
      last = turn.catch(() => {});
      return turn;
    },
  };
}
