import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where this program's own files are: the bundle in `dist/` and the sources in `src/app/` have the same root above them. */
export const packageRoot: string = above(import.meta.dirname);

function above(directory: string): string {
  if (existsSync(join(directory, 'package.json')) || dirname(directory) === directory) return directory;
  return above(dirname(directory));
}
