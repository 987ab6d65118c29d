import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type YAMLMap,
} from 'yaml';
import { setOwn } from './defaults.ts';
import type { Path } from './finding.ts';

/** Where in a text; both start at 1. */
export type Position = { readonly line: number; readonly column: number };

/** One document of a text that parsed. */
export type YamlDocument = {
  /** Plain data, aliases and merge keys (`<<`) expanded; keys are strings, as in JSON. */
  readonly value: unknown;
  /** Where a value stands, or its key; else the nearest parent that exists. */
  readonly positionOf: (path: Path, at: 'key' | 'value') => Position;
  /** The same for a path as messages write it, starting from `base`; keys may hold dots. */
  readonly positionOfField: (base: Path, field: string) => Position;
};

/** A document that did not parse. */
export type YamlFailure = Position & { readonly says: string; readonly fix: string };

export type YamlText = {
  readonly documents: readonly YamlDocument[];
  readonly failures: readonly YamlFailure[];
};

const maxDepth = 100;
const maxAliased = 10_000;
const tooDeep = ['it is nested too deeply', `nest at most ${maxDepth} levels`] as const;
/** The parser is recursive, and reports the end of the stack as one more mistake. */
const stackEnd: RegExp = /call stack/;

/** Parses YAML or JSON. Never throws; documents that are empty or only comments are left out. */
export function parseYaml(text: string): YamlText {
  const lines = new LineCounter();
  const documents: YamlDocument[] = [];
  const failures: YamlFailure[] = [];
  const fail = (offset: number, says: string, fix: string): void => {
    failures.push({ ...positionAt(lines, offset), says, fix });
  };
  for (const document of parsed(text, lines, fail)) {
    const [error] = document.errors;
    if (error && stackEnd.test(error.message)) fail(0, ...tooDeep);
    else if (error) fail(error.pos[0], says(error.message), fixes[error.code] ?? 'correct the YAML here');
    else if (document.contents && !isEmpty(document.contents)) convert(document, lines, documents, fail);
  }
  return { documents, failures };
}

type Fail = (offset: number, says: string, fix: string) => void;

function parsed(text: string, lineCounter: LineCounter, fail: Fail): readonly Document.Parsed[] {
  try {
    // Repeated keys are looked for in `convert`, which takes linear time.
    const options = { lineCounter, prettyErrors: false, uniqueKeys: false, logLevel: 'silent' } as const;
    return [...parseAllDocuments(text, options)];
  } catch {
    // It throws only when the stack ends.
    fail(0, ...tooDeep);
    return [];
  }
}

function isEmpty(node: Node): boolean {
  return isScalar(node) && node.value === null;
}

function convert(document: Document.Parsed, lines: LineCounter, into: YamlDocument[], fail: Fail): void {
  try {
    const { contents } = document;
    const aliases: Aliases = new Map();
    resolveAliases(contents, { anchors: new Map(), aliases }, 0);
    const value = toValue(aliases, contents, { depth: 0, inAlias: false, budget: { aliased: 0 } });
    const at = (node: Node | null): Position => positionAt(lines, offsetOf(node ?? contents));
    into.push({
      value,
      positionOf: (path, what) => at(nodeAt(aliases, contents, path, what)),
      positionOfField: (base, field) =>
        at(nodeOfField(aliases, nodeAt(aliases, contents, base, 'value'), field)),
    });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    fail(error.offset, error.message, error.fix);
  }
}

/** What each alias stands for. The library would search the whole document for every alias. */
type Aliases = Map<Alias, Node>;

function resolveAliases(
  node: Node | null,
  found: { readonly anchors: Map<string, Node>; readonly aliases: Aliases },
  depth: number,
): void {
  // What lies deeper is refused later.
  if (!node || depth > maxDepth + 1) return;
  if (isAlias(node)) {
    const target = found.anchors.get(node.source);
    if (!target) throw new Refusal(node, `*${node.source} has no anchor before it`, `add &${node.source}`);
    found.aliases.set(node, target);
    return;
  }
  if ('anchor' in node && typeof node.anchor === 'string') found.anchors.set(node.anchor, node);
  if (isSeq<Node>(node)) for (const item of node.items) resolveAliases(item, found, depth + 1);
  if (!isMap<Node, Node | null>(node)) return;
  for (const { key, value } of node.items) {
    resolveAliases(key, found, depth + 1);
    resolveAliases(value, found, depth + 1);
  }
}

/** Ends a conversion from any depth; caught in `convert`, never seen outside. */
class Refusal extends Error {
  readonly offset: number;
  readonly fix: string;
  constructor(node: Node | null | undefined, message: string, fix: string) {
    super(message);
    this.offset = offsetOf(node);
    this.fix = fix;
  }
}

type Depth = { readonly depth: number; readonly inAlias: boolean; readonly budget: { aliased: number } };

function toValue(aliases: Aliases, node: Node | null | undefined, at: Depth): unknown {
  if (at.depth > maxDepth) throw new Refusal(node, ...tooDeep);
  if (at.inAlias && ++at.budget.aliased > maxAliased) {
    throw new Refusal(
      node,
      `its aliases expand to more than ${maxAliased} values`,
      'write the values out, or split the file',
    );
  }
  const below = { ...at, depth: at.depth + 1 };
  if (isAlias(node)) {
    return toValue(aliases, aliases.get(node), { ...below, inAlias: true });
  }
  if (isSeq<Node>(node)) return node.items.map((item) => toValue(aliases, item, below));
  if (!isMap(node)) return isScalar(node) ? node.value : null;
  const value: Record<string, unknown> = {};
  for (const [name, item] of entriesOf(aliases, node, at.depth)) {
    setOwn(value, name, toValue(aliases, item.value, below));
  }
  return value;
}

type Entry = { readonly key: Node; readonly value: Node | null };

/** A map's own entries, then those it merges in with `<<` and does not have itself. */
function entriesOf(aliases: Aliases, map: YAMLMap, depth: number): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  const merges: Entry[] = [];
  for (const pair of map.items) {
    // A parsed map holds nodes; only hand-made ones may hold plain values.
    const entry = pair as unknown as Entry;
    const { key } = entry;
    if (!isScalar(key))
      throw new Refusal(
        key,
        'a key must be plain text',
        'write a word before the colon; render templates with {{ }} first',
      );
    const name = String(key.value);
    if (name === '<<' && key.type === 'PLAIN') merges.push(entry);
    else if (entries.has(name))
      throw new Refusal(key, `the key ${name} is there twice`, 'keep one of the two');
    else entries.set(name, entry);
  }
  for (const { key, value } of merges) {
    for (const source of mergedMaps(aliases, key, value, depth)) {
      for (const [name, entry] of entriesOf(aliases, source, depth + 1)) {
        if (!entries.has(name)) entries.set(name, entry);
      }
    }
  }
  return entries;
}

function mergedMaps(aliases: Aliases, key: Node, value: Node | null, depth: number): readonly YAMLMap[] {
  if (depth > maxDepth) throw new Refusal(key, ...tooDeep);
  const target = isAlias(value) ? aliases.get(value) : value;
  if (isMap(target)) return [target];
  if (isSeq<Node>(target)) return target.items.flatMap((item) => mergedMaps(aliases, key, item, depth + 1));
  throw new Refusal(key, '<< must merge a map', 'write <<: *anchor-of-a-map');
}

function step(aliases: Aliases, node: Node | null | undefined, name: string | number): Entry | undefined {
  const target = isAlias(node) ? aliases.get(node) : node;
  if (isMap(target)) return entriesOf(aliases, target, 0).get(String(name));
  if (!isSeq<Node>(target) || typeof name !== 'number') return undefined;
  const item = target.items[name];
  return item && { key: item, value: item };
}

function nodeAt(aliases: Aliases, top: Node | null, path: Path, what: 'key' | 'value'): Node | null {
  let node = top;
  for (const [index, name] of path.entries()) {
    const entry = step(aliases, node, name);
    if (!entry) return node;
    if (index === path.length - 1 && (what === 'key' || !entry.value?.range)) return entry.key;
    node = entry.value;
  }
  return node;
}

function nodeOfField(aliases: Aliases, top: Node | null, field: string): Node | null {
  let node = top;
  for (let rest = field; rest !== ''; ) {
    const found = nextStep(aliases, node, rest);
    if (!found?.entry.value) return found?.entry.key ?? node;
    node = found.entry.value;
    rest = found.rest;
  }
  return node;
}

function nextStep(
  aliases: Aliases,
  node: Node | null,
  field: string,
): { readonly entry: Entry; readonly rest: string } | undefined {
  const [whole, inside] = /^\[([^\]]*)\]/.exec(field) ?? [];
  if (whole !== undefined && inside !== undefined) {
    const entry = step(aliases, node, /^\d+$/.test(inside) ? Number(inside) : inside);
    return entry && { entry, rest: field.slice(whole.length).replace(/^\./, '') };
  }
  // A key may hold dots itself: the longest one that fits is meant.
  for (let end = field.length; end > 0; end--) {
    if (end < field.length && field[end] !== '.' && field[end] !== '[') continue;
    const entry = step(aliases, node, field.slice(0, end));
    if (entry) return { entry, rest: field.slice(end).replace(/^\./, '') };
  }
  return undefined;
}

function offsetOf(node: Node | null | undefined): number {
  return node?.range?.[0] ?? 0;
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function says(message: string): string {
  return message.replace(/\s+/g, ' ').replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
}

const fixes: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'indent with spaces; YAML has no tabs there',
  BAD_INDENT: 'line it up with its neighbours',
  MISSING_CHAR: 'add what is missing',
  MULTILINE_IMPLICIT_KEY: 'close the quote or the line above',
  BLOCK_AS_IMPLICIT_KEY: 'put it on a line of its own, indented',
  UNEXPECTED_TOKEN: 'remove it, or put the text in quotes',
};
