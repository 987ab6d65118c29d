/** Where a mesh's own tools are on many systems; an ordinary user's PATH leaves it out, and plain `su` keeps that PATH. */
const toolDirectories: readonly string[] = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

const usual = '/usr/local/bin:/usr/bin:/bin';

/** A PATH that leads to them as well, after everything that it leads to already. */
export function toolPath(path: string | undefined): string {
  const entries = (path || usual).split(':');
  return [...entries, ...toolDirectories.filter((directory) => !entries.includes(directory))].join(':');
}
