import type { RegexMatcherSchema } from '../../../gen/envoy/type/matcher/v3/regex_pb.ts';
import type { StringMatcherSchema } from '../../../gen/envoy/type/matcher/v3/string_pb.ts';
import type { Init } from './init.ts';

export type StringMatcherInit = Init<typeof StringMatcherSchema>;
export type RegexInit = Init<typeof RegexMatcherSchema>;

/** Escapes a literal for use inside an RE2 expression. */
export function quoteRegex(literal: string): string {
  return literal.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}

/** Escapes a literal for use as the substitution of a regex rewrite, where `\1` would be a group. */
export function quoteSubstitution(literal: string): string {
  return literal.replaceAll('\\', '\\\\');
}

export const exactly = (value: string): StringMatcherInit => ({ matchPattern: { case: 'exact', value } });
export const startingWith = (value: string): StringMatcherInit => ({
  matchPattern: { case: 'prefix', value },
});
export const endingWith = (value: string): StringMatcherInit => ({ matchPattern: { case: 'suffix', value } });
/** The whole string must match. */
export const matchingRegex = (regex: string): StringMatcherInit => ({
  matchPattern: { case: 'safeRegex', value: { regex } },
});
