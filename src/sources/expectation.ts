import { nearestWord } from '../base/nearest.ts';
import { type Finding, type Path, showPath, showValue } from './finding.ts';
import type { Schema } from './schema.ts';

/** What a schema wanted of a value, in words, and what to write instead. */

const wrong = (path: Path, says: string, fix: string): Finding => ({
  code: 'WEFT-1005',
  path,
  at: 'value',
  says,
  fix,
});

export function wrongType(path: Path, schema: Schema, value: unknown): Finding {
  return wrong(path, `must be ${expected(schema)}, got ${showValue(value)}`, typeFix(path, schema, value));
}

export function outOfBounds(path: Path, schema: Schema, value: unknown): Finding {
  return wrong(path, `must be ${expected(schema)}, got ${showValue(value)}`, `write ${sample(path, schema)}`);
}

export function notOneOf(path: Path, schema: Schema, value: unknown): Finding {
  const words = (schema.enum ?? []).map(String);
  const meant = typeof value === 'string' ? nearestWord(value, words) : undefined;
  const fix = meant ? `write ${entry(path, meant)}` : 'write one of these';
  return wrong(path, `must be one of ${words.join(', ')}, got ${showValue(value)}`, fix);
}

export function wrongText(path: Path, schema: Schema, value: string): Finding {
  const pattern = schema.pattern ?? '';
  const known = patterns[pattern];
  const says = known ? `must be ${known.says}` : `must match the pattern ${pattern}`;
  const fix = known ? `write ${entry(path, known.sample)}` : 'change it so that it matches';
  return wrong(path, `${says}, got ${showValue(value)}`, fix);
}

export function unknownField(path: Path, name: string, known: readonly string[]): Finding {
  const meant = nearestWord(name, known);
  const at: Path = [...path, name];
  const says = meant ? `is not a known field; did you mean ${meant}?` : 'is not a known field';
  const fields = known.length > 0 && known.length <= 12 ? `, or use one of ${known.join(', ')}` : '';
  const fix = meant ? `write ${meant} instead of ${name}` : `remove it${fields}`;
  return { code: 'WEFT-1004', path: at, at: 'key', says, fix };
}

export function missingField(path: Path, name: string, schema: Schema | undefined): Finding {
  const at: Path = [...path, name];
  return wrong(at, 'is required', `add ${sample(at, schema ?? {})}`);
}

/** `unit` is what is counted: items, characters, entries. */
export function wrongSize(
  path: Path,
  size: number,
  limits: { readonly min?: number | undefined; readonly max?: number | undefined; readonly unit: string },
): Finding {
  const { min, max, unit } = limits;
  const tooMany = max !== undefined && size > max;
  const says = `must have ${tooMany ? `at most ${max}` : `at least ${min}`} ${unit}, has ${size}`;
  return wrong(path, says, tooMany ? `leave out ${size - max}` : 'add what is missing');
}

export function repeated(path: Path, what: string, first: Path): Finding {
  return wrong(path, `repeats ${what} of ${showPath(first)}`, 'keep one of the two');
}

/** Fields of which only one may be set. */
export function notExactlyOne(path: Path, present: readonly string[], choices: readonly string[]): Finding {
  const says =
    present.length === 0
      ? `must have one of ${choices.join(', ')}`
      : `must have only one of ${choices.join(', ')}, has ${present.join(' and ')}`;
  return wrong(path, says, present.length === 0 ? 'add one of them' : 'keep one of them');
}

export function notAsRuled(path: Path, says: string): Finding {
  return wrong(path, says, 'change it so that the rule holds');
}

function expected(schema: Schema): string {
  if (schema['x-kubernetes-int-or-string']) return 'a whole number or a string';
  const { minimum: min, maximum: max } = schema;
  const range =
    min !== undefined && max !== undefined
      ? ` between ${min} and ${max}`
      : min !== undefined
        ? ` of at least ${min}`
        : max !== undefined
          ? ` of at most ${max}`
          : '';
  switch (schema.type) {
    case 'integer':
      return `an integer${range}`;
    case 'number':
      return `a number${range}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return 'a list';
    case 'string':
      return schema.format === 'date-time' ? 'a time such as 2026-01-31T12:00:00Z' : 'a string';
    default:
      return 'a map';
  }
}

function typeFix(path: Path, schema: Schema, value: unknown): string {
  const sampled = sample(path, schema);
  if (schema.type === 'string' && !sampled.endsWith('…')) return `write ${sampled}`;
  const scalar = typeof value === 'number' || typeof value === 'boolean';
  if (schema.type === 'string' && scalar)
    return `put it in quotes: ${entry(path, JSON.stringify(`${value}`))}`;
  const digits = typeof value === 'string' && /^-?\d+$/.test(value) && inBounds(schema, Number(value));
  if (schema.type === 'integer' && digits) return `remove the quotes: ${entry(path, String(value))}`;
  switch (schema.type) {
    case 'array':
      return 'write a dash before each entry';
    case 'integer':
    case 'number':
      return `write a number, such as ${sampled}`;
    case 'boolean':
      return `write ${entry(path, 'true')} or ${entry(path, 'false')}`;
    case 'string':
      return 'write a string';
    default:
      return 'write its fields below it, indented';
  }
}

export function inBounds({ minimum, maximum, format }: Schema, value: number): boolean {
  if (format === 'int32' && (value < -(2 ** 31) || value >= 2 ** 31)) return false;
  return !(minimum !== undefined && value < minimum) && !(maximum !== undefined && value > maximum);
}

/** `port: 80`, or `- 80` for an entry of a list. */
function entry(path: Path, value: string): string {
  const last = path.at(-1);
  return typeof last === 'string' ? `${last}: ${value}` : `- ${value}`;
}

function sample(path: Path, schema: Schema): string {
  return entry(path, sampleValue(path, schema));
}

function sampleValue(path: Path, schema: Schema): string {
  const known = schema.pattern === undefined ? undefined : patterns[schema.pattern];
  if (known) return known.sample;
  const given = schema.default ?? schema.enum?.[0];
  if (typeof given === 'string' || typeof given === 'number') return String(given);
  switch (schema.type) {
    case 'integer':
    case 'number':
      return String(
        /port/i.test(String(path.at(-1))) ? 80 : (schema.minimum ?? Math.min(1, schema.maximum ?? 1)),
      );
    case 'boolean':
      return 'true';
    case 'array':
      return '[…]';
    case 'string':
      return schema['x-kubernetes-validations']?.some(({ rule }) => rule.includes('duration(')) ? '10s' : '…';
    default:
      return schema['x-kubernetes-int-or-string'] ? '80' : '{…}';
  }
}

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const host = { says: 'a host name in lower case', sample: 'shop.example.com' };
const names = { says: 'lower-case letters, digits and dashes, with dots between', sample: 'my-name' };
const header = "^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$";

/** The patterns of the Gateway API that people meet, in words. */
const patterns: Readonly<Record<string, { readonly says: string; readonly sample: string }>> = {
  '^([0-9]{1,5}(h|m|s|ms)){1,4}$': { says: 'a duration such as 10s, 500ms or 1h30m', sample: '10s' },
  [`^${label}$`]: { says: 'lower-case letters, digits and dashes', sample: 'my-name' },
  [`^${label}(\\.${label})*$`]: names,
  [`^$|^${label}(\\.${label})*$`]: names,
  [`^(\\*\\.)?${label}(\\.${label})*$`]: host,
  [header]: { says: 'a header name: letters, digits and dashes', sample: 'x-user' },
  '^[!-~]+([\\t ]?[!-~]+)*$': { says: 'printable ASCII with single spaces between words', sample: 'value' },
};
