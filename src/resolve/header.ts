import type { Header, HeaderMutation } from '../model/traffic.ts';

export type HeaderEdits = {
  readonly set: readonly Header[];
  readonly add: readonly Header[];
  readonly remove: readonly string[];
};
/** `authority`: setting Host is how both APIs spell a rewrite of it. `refused`: names that no proxy may touch. */
export type ReadHeaders = {
  readonly mutation: HeaderMutation;
  readonly authority?: string;
  readonly refused: readonly string[];
};

const token = /^[a-z0-9!#$%&'*+\-.^_`|~]+$/;
const authorityNames: readonly string[] = ['host', ':authority'];

/** Names in lower case; of several entries with one name only the first counts, as Gateway API says. */
export function readHeaders(edits: HeaderEdits): ReadHeaders {
  const set = firstByName(edits.set);
  const add = firstByName(edits.add);
  const remove = [...new Set(edits.remove.map((name) => name.toLowerCase()))];
  const authority = set.find(({ name }) => authorityNames.includes(name))?.value;
  const kept = set.filter(({ name }) => !authorityNames.includes(name));
  const touched = [...kept, ...add];
  return {
    mutation: { set: kept, add, remove },
    ...(authority === undefined ? {} : { authority }),
    refused: [
      ...touched.filter(({ value }) => !isPrintable(value)).map(({ name }) => name),
      ...[...touched.map(({ name }) => name), ...remove].filter(
        (name) => !token.test(name) || name === 'host',
      ),
    ],
  };
}

function firstByName(headers: readonly Header[]): readonly Header[] {
  const first = new Map<string, Header>();
  for (const { name, value } of headers) {
    const lower = name.toLowerCase();
    if (!first.has(lower)) first.set(lower, { name: lower, value });
  }
  return [...first.values()];
}

/** No line break and no NUL: nothing that ends a header early. */
function isPrintable(value: string): boolean {
  return !/[\r\n\0]/.test(value);
}
