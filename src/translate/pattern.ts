import type { StringMatcherInit } from './envoy/string-matcher.ts';
import { endingWith, exactly, quoteRegex, startingWith } from './envoy/string-matcher.ts';

/** A pattern of an access rule: `x`, `x*`, `*x`, or `*` for anything that is there. */
export type Pattern =
  | { readonly kind: 'any' }
  | { readonly kind: 'exact' | 'prefix' | 'suffix'; readonly value: string };

export function parsePattern(text: string): Pattern {
  if (text === '*') return { kind: 'any' };
  if (text.endsWith('*')) return { kind: 'prefix', value: text.slice(0, -1) };
  if (text.startsWith('*')) return { kind: 'suffix', value: text.slice(1) };
  return { kind: 'exact', value: text };
}

/** `null` when anything matches. */
export function patternMatcher(pattern: Pattern): StringMatcherInit | null {
  switch (pattern.kind) {
    case 'any':
      return null;
    case 'exact':
      return exactly(pattern.value);
    case 'prefix':
      return startingWith(pattern.value);
    case 'suffix':
      return endingWith(pattern.value);
  }
}

/** RE2 for the pattern, with `wild` for what the star stands for. */
export function patternRegex(pattern: Pattern, wild: string): string {
  switch (pattern.kind) {
    case 'any':
      return wild;
    case 'exact':
      return quoteRegex(pattern.value);
    case 'prefix':
      return quoteRegex(pattern.value) + wild;
    case 'suffix':
      return wild + quoteRegex(pattern.value);
  }
}
