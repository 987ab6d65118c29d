import { existsSync, statSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';

/** What must be done to a mesh's own view of the file system so that pods can reach what they run. */
export type Reach = {
  /** Directories that pods could not enter: covered by empty ones. Outermost only. */
  readonly covered: readonly string[];
  /** Put back where they were. */
  readonly shown: readonly string[];
};

/**
 * Pods run as users that are nobody's, and a home directory is often closed to those. Inside the mesh, and nowhere else, such a
 * directory is covered by an empty one in which only the `wanted` paths exist; so pods reach these, and nothing beside them.
 */
export function planReach(wanted: readonly string[]): Reach {
  const covered = new Set<string>();
  const shown = new Set<string>();
  for (const path of wanted) {
    const closed = ancestors(path).find(isClosed);
    if (closed === undefined || !existsSync(path)) continue;
    covered.add(closed);
    shown.add(path);
  }
  const outermost = (paths: Set<string>): string[] =>
    [...paths].filter((path) => ![...paths].some((other) => isBelow(path, other))).sort();
  return { covered: outermost(covered), shown: outermost(shown) };
}

/** The outermost directory, at or above, that looks like a project: what is run there may need what lies beside it. */
export function projectOf(directory: string): string {
  const marks = ['package.json', '.git', 'go.mod', 'pyproject.toml', 'Cargo.toml'];
  const home = process.env.HOME ?? '/';
  const above = ancestors(directory).filter((path) => path !== '/' && path !== home && !isBelow(home, path));
  return (
    [...above, directory].find((path) => marks.some((mark) => existsSync(join(path, mark)))) ?? directory
  );
}

/** From the root down to the parent. */
function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...ancestors(parent), parent];
}

function isClosed(directory: string): boolean {
  const mode = statSync(directory, { throwIfNoEntry: false })?.mode ?? 0o777;
  return (mode & 0o001) === 0;
}

function isBelow(path: string, other: string): boolean {
  return path !== other && path.startsWith(other === '/' ? '/' : other + sep);
}

/** Shell lines that carry the plan out. */
export function reachScript({ covered, shown }: Reach): string {
  const held = (index: number): string => `/run/held/${index}`;
  return [
    ...shown.map((path, n) => `mkdir -p ${held(n)} && mount --rbind ${quote(path)} ${held(n)}`),
    ...covered.map((path) => `mount -t tmpfs -o mode=755 weft ${quote(path)}`),
    ...shown.map((path, n) => `mkdir -p ${quote(path)} && mount --move ${held(n)} ${quote(path)}`),
  ].join('\n');
}

export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
