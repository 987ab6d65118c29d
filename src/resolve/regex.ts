import { RE2JS } from 're2js';
import type { Report } from './problems.ts';

const known = new Map<string, string>();
const longest = 1024;

/** Is it a regular expression that Envoy will take? If not, the report says why. */
export function checkRegex(pattern: string, report: Report, field: string): boolean {
  const fault = regexFault(pattern);
  if (fault === '') return true;
  report.error('WEFT-1206', {
    field,
    message: `\`${pattern.slice(0, 128)}\` is not a regular expression of RE2: ${fault}; the match was left out: its requests go to the other rules, and fail where none takes them`,
    fix: 'use the RE2 syntax, without lookaround and back-references: https://github.com/google/re2/wiki/Syntax',
  });
  return false;
}

/** Why not, or `''`. */
function regexFault(pattern: string): string {
  if (pattern === '') return 'it is empty';
  if (pattern.length > longest) return `it is longer than ${longest} characters`;
  const cached = known.get(pattern);
  if (cached !== undefined) return cached;
  let fault = '';
  try {
    RE2JS.compile(pattern);
  } catch (error) {
    // The compiler tells of a bad pattern in no other way; the user's mistake goes on as a value.
    fault =
      error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : 'it does not compile';
  }
  if (known.size > 10_000) known.clear();
  known.set(pattern, fault);
  return fault;
}
