import { compareHosts, hostMatches, isWildcard } from './host.ts';

/** For a host: the groups of items that name it, the most specific name first, each in the order it came. */
export type HostIndex<T> = (host: string) => readonly (readonly T[])[];

export function indexHosts<T>(items: Iterable<readonly [host: string, item: T]>): HostIndex<T> {
  const byName = new Map<string, T[]>();
  for (const [host, item] of items) {
    const group = byName.get(host);
    if (group) group.push(item);
    else byName.set(host, [item]);
  }
  const wildcards = [...byName.keys()].filter(isWildcard).sort(compareHosts);
  return (host) => {
    const exact = byName.get(host);
    const wild = wildcards.filter((name) => hostMatches(name, host)).map((name) => byName.get(name) ?? []);
    return exact ? [exact, ...wild] : wild;
  };
}
