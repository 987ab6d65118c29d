/** Reads source files for the rooms check: their imports, and what their lines show. */
import { globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

export type Import = {
  /** A path from the root, or a package. */
  readonly from: string;
  readonly kind: 'value' | 'type' | 'lazy';
};

export type Source = {
  readonly path: string;
  readonly room: string;
  readonly lines: readonly string[];
  /** The lines without comments, strings and the text of templates. */
  readonly code: readonly string[];
  readonly imports: readonly Import[];
};

const commentOrString: RegExp = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g;
const template: RegExp = /`(?:\\.|[^`\\])*`/g;
const importLine: RegExp = /^(?:import|export) (type )?(?:[\w\s{},*$]+ from )?'([^']+)'/gm;
const lazyImport: RegExp = /\bimport\(\s*'([^']+)'/g;

export function readSources(root: string): Source[] {
  return globSync('src/**/*.ts', { cwd: root })
    .sort()
    .map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')));
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || path.includes('/testing/');
}

function parseSource(path: string, text: string): Source {
  const uncommented = text.replace(commentOrString, (part) => (part.startsWith('/') ? '' : part));
  const resolved = (from = ''): string =>
    from.startsWith('.') ? posix.join(posix.dirname(path), from) : from;
  const imports = [
    ...[...uncommented.matchAll(importLine)].map(([, type, from]): Import => {
      return { from: resolved(from), kind: type ? 'type' : 'value' };
    }),
    ...[...uncommented.matchAll(lazyImport)].map(
      ([, from]): Import => ({ from: resolved(from), kind: 'lazy' }),
    ),
  ];
  const code = text
    .replace(commentOrString, (part) => part.replace(/[^\n]/g, ''))
    .replace(template, (part) => part.replace(/(\$\{[^}]*\})|[^\n]/g, '$1'));
  const lines = text.replace(/\n$/, '').split('\n');
  return { path, room: path.split('/')[1] ?? '', lines, code: code.split('\n'), imports };
}

const functionStart: RegExp =
  /^\s*(?:export )?(?:async )?function\b.*[^;]$|=> \{$|^\s*(?!(?:if|for|while|switch|catch)\b)(?:async |get |\*)*[\w$]+\(.*\{$/;

/** First line and length of each function. The formatter indents a closing brace as the line that began the body. */
export function functionLengths({ lines }: Source): { readonly line: number; readonly length: number }[] {
  return lines.flatMap((line, index) => {
    if (!functionStart.test(line)) return [];
    const close = `${line.match(/^ */)?.[0] ?? ''}}`;
    return [
      { line: index + 1, length: lines.slice(index + 1).findIndex((later) => later.startsWith(close)) + 2 },
    ];
  });
}

/** Each circle of imports that take values, once. Lazy imports may close a circle: they run later. */
export function importCycles(sources: readonly Source[]): string[][] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const done = new Set<string>();
  const found: string[][] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const back = trail.indexOf(path);
    if (back >= 0) found.push([...trail.slice(back), path]);
    if (back >= 0 || done.has(path)) return;
    for (const { from, kind } of byPath.get(path)?.imports ?? []) {
      if (kind === 'value' && byPath.has(from)) visit(from, [...trail, path]);
    }
    done.add(path);
  };
  for (const { path } of sources) visit(path, []);
  return found;
}

const impure: RegExp =
  /(?<![.\w$])(?:Date|process|fetch|performance|console|globalThis|set(?:Timeout|Interval|Immediate)|Math\.random|import\.meta)(?![\w$]|\??:)/;

/** Where a file names a clock, randomness, the network or the environment. */
export function impureNames({ code }: Source): { readonly line: number; readonly name: string }[] {
  return code.flatMap((line, index) => {
    const name = impure.exec(line)?.[0];
    return name ? [{ line: index + 1, name }] : [];
  });
}
