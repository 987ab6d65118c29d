/** What a user hands to `apply`, without what only the mesh may say, so that what `get` prints can be applied. */
import { type Document, isMap, isScalar, isSeq, type Node, parseAllDocuments, type YAMLMap } from 'yaml';
import { asList, asRecord } from './record.ts';
import { toYaml } from './yaml-text.ts';

/** Fields of `metadata` that the mesh fills in; `status` is its own altogether. */
export const servedMetadata = [
  'generation',
  'uid',
  'creationTimestamp',
  'resourceVersion',
  'managedFields',
  'selfLink',
] as const;

/** The objects of the mesh's own `ObjectList` as documents; all else to the byte. */
export function expandObjectLists(text: string): string {
  const all = documents(text);
  const isObjectList = (document: Document.Parsed): boolean => document.get('kind') === 'ObjectList';
  if (!all.some((document) => isMap(document.contents) && isObjectList(document))) return text;
  const parts = all.flatMap((document) => {
    const value = asRecord(document.toJS({ maxAliasCount: 100 }));
    if (value.kind !== 'ObjectList') return [toYaml(value)];
    return asList(value.items).map((item) => toYaml(asRecord(item).object ?? item));
  });
  return parts.join('---\n');
}

/** Blanks stand where the mesh's fields were: every line and column is still the one that the user sees. */
export function withoutServed(text: string): string {
  const gaps = documents(text).flatMap(({ contents }) =>
    isMap<Node, Node | null>(contents) ? gapsIn(contents, text) : [],
  );
  return gaps.reduce(
    (left, { from, to }) =>
      left.slice(0, from) + left.slice(from, to).replace(/[^\n\r]/g, ' ') + left.slice(to),
    text,
  );
}

/** None when one of them is broken: the mistake shall be found where it is. */
function documents(text: string): readonly Document.Parsed[] {
  const all = [...parseAllDocuments(text, { logLevel: 'silent', merge: true })];
  return all.some(({ errors }) => errors.length > 0) ? [] : all;
}

type Gap = { readonly from: number; readonly to: number };
type Map = YAMLMap<Node, Node | null>;

function gapsIn(object: Map, text: string): readonly Gap[] {
  const items = object.get('items', true);
  if (String(object.get('kind')).endsWith('List') && isSeq<Node>(items)) {
    return items.items.flatMap((item) => (isMap<Node, Node | null>(item) ? gapsIn(item, text) : []));
  }
  const metadata = object.get('metadata', true);
  return [
    ...gapsOf(object, ['status'], text),
    ...(isMap<Node, Node | null>(metadata) ? gapsOf(metadata, servedMetadata, text) : []),
  ];
}

function gapsOf(map: Map, names: readonly string[], text: string): readonly Gap[] {
  return map.items.flatMap(({ key, value }) => {
    const from = key.range?.[0];
    const end = value?.range?.[1] ?? key.range?.[1];
    if (!isScalar(key) || !names.includes(String(key.value)) || from === undefined || end === undefined)
      return [];
    const comma = map.flow ? /^\s*,/.exec(text.slice(end))?.[0].length : undefined;
    return [{ from, to: end + (comma ?? 0) }];
  });
}
