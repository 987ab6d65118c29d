import { isIPv4, isIPv6 } from 'node:net';
import { RE2JS } from 're2js';
import {
  inBounds,
  missingField,
  notAsRuled,
  notExactlyOne,
  notOneOf,
  outOfBounds,
  repeated,
  unknownField,
  wrongSize,
  wrongText,
  wrongType,
} from './expectation.ts';
import type { Finding, Path } from './finding.ts';
import type { Schema } from './schema.ts';

/** More would help no one: the first mistakes usually explain the rest. */
const maxFindings = 20;

/**
 * Checks a value against a structural schema the way an API server does, CEL rules aside. `null` counts as absent;
 * an unknown field is a finding, never dropped silently.
 */
export function checkStructure(schema: Schema, value: unknown, path: Path = []): readonly Finding[] {
  const findings: Finding[] = [];
  walk(schema, value, path, { found: findings, strict: true });
  return findings;
}

/** `strict` is off inside `oneOf` and its like, whose branches name only some of the fields. */
type Walk = { readonly found: Finding[]; readonly strict: boolean };

function walk(schema: Schema, value: unknown, path: Path, into: Walk): void {
  const { found } = into;
  if (found.length >= maxFindings) return;
  if (!hasType(schema, value)) {
    found.push(wrongType(path, schema, value));
    return;
  }
  if (schema.enum && !schema.enum.includes(value)) found.push(notOneOf(path, schema, value));
  else if (typeof value === 'string') checkText(schema, value, path, found);
  else if (typeof value === 'number') {
    if (!inBounds(schema, value)) found.push(outOfBounds(path, schema, value));
  } else if (Array.isArray(value)) checkList(schema, value, path, into);
  else if (isMap(value)) checkMap(schema, value, path, into);
  checkBranches(schema, value, path, found);
}

function hasType(schema: Schema, value: unknown): boolean {
  if (schema['x-kubernetes-int-or-string']) return typeof value === 'string' || Number.isInteger(value);
  switch (schema.type) {
    case 'object':
      return isMap(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isSafeInteger(value);
    case 'number':
      return Number.isFinite(value);
    case 'string':
    case 'boolean':
      return typeof value === schema.type;
    case undefined:
      return true;
    default:
      return schema.type satisfies never;
  }
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkText(schema: Schema, value: string, path: Path, found: Finding[]): void {
  const { minLength: min, maxLength: max } = schema;
  // Bounds count characters, not UTF-16 units; a long text is only counted when it may matter.
  const size = min === undefined && max === undefined ? 0 : [...value].length;
  if ((max !== undefined && size > max) || (min !== undefined && size < min)) {
    found.push(wrongSize(path, size, { min, max, unit: 'characters' }));
  } else if (schema.pattern !== undefined && !pattern(schema.pattern).matcher(value).find()) {
    found.push(wrongText(path, schema, value));
  } else if (!hasFormat(schema.format, value)) {
    found.push(wrongType(path, schema, value));
  }
}

function hasFormat(format: string | undefined, value: string): boolean {
  if (format === 'ipv4') return isIPv4(value);
  if (format === 'ipv6') return isIPv6(value);
  return format !== 'date-time' || !Number.isNaN(Date.parse(value));
}

const compiled = new Map<string, RE2JS>();

/**
 * The schemas' patterns are written for RE2. JavaScript's own engine takes exponential time on some of them (the
 * pattern of header values, on 30 letters and an umlaut), and the text is the user's.
 */
function pattern(source: string): RE2JS {
  const known = compiled.get(source);
  if (known) return known;
  const fresh = RE2JS.compile(source);
  compiled.set(source, fresh);
  return fresh;
}

function checkList(schema: Schema, value: readonly unknown[], path: Path, into: Walk): void {
  const { found } = into;
  const { minItems: min, maxItems: max, items } = schema;
  if ((max !== undefined && value.length > max) || (min !== undefined && value.length < min)) {
    found.push(wrongSize(path, value.length, { min, max, unit: 'items' }));
    return;
  }
  for (const [index, item] of value.entries()) {
    if (items) walk(items, item, [...path, index], into);
  }
  checkRepeats(schema, value, path, found);
}

function checkRepeats(schema: Schema, value: readonly unknown[], path: Path, found: Finding[]): void {
  const type = schema['x-kubernetes-list-type'];
  if (type !== 'map' && type !== 'set') return;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const seen = new Map<string, number>();
  for (const [index, item] of value.entries()) {
    const pairs = keys.map(
      (key) =>
        [key, isMap(item) ? (item[key] ?? schema.items?.properties?.[key]?.default) : undefined] as const,
    );
    const what = type === 'set' ? JSON.stringify(item) : pairs.map(([key, at]) => `${key} ${at}`).join(', ');
    const first = seen.get(what);
    if (first === undefined) seen.set(what, index);
    else found.push(repeated([...path, index], what, [...path, first]));
  }
}

function checkMap(schema: Schema, value: Readonly<Record<string, unknown>>, path: Path, into: Walk): void {
  const { found, strict } = into;
  const { properties = {}, additionalProperties, required = [] } = schema;
  const names = Object.keys(value);
  for (const name of names) {
    const known = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    const item = value[name];
    if (typeof known === 'object') {
      if (item !== null) walk(known, item, [...path, name], into);
    } else if (strict && known === undefined && !isOpen(schema)) {
      found.push(unknownField(path, name, Object.keys(properties)));
    }
  }
  for (const name of strict ? required : []) {
    const absent = !Object.hasOwn(value, name) || value[name] === null;
    if (absent && properties[name]?.default === undefined)
      found.push(missingField(path, name, properties[name]));
  }
  const { minProperties: min, maxProperties: max } = schema;
  if ((max !== undefined && names.length > max) || (min !== undefined && names.length < min)) {
    found.push(wrongSize(path, names.length, { min, max, unit: 'entries' }));
  }
}

function isOpen(schema: Schema): boolean {
  return schema['x-kubernetes-preserve-unknown-fields'] === true || schema.type === undefined;
}

function checkBranches(schema: Schema, value: unknown, path: Path, found: Finding[]): void {
  const { oneOf, anyOf, allOf = [], not } = schema;
  if (oneOf && oneOf.filter((branch) => holds(branch, value)).length !== 1)
    found.push(choice(oneOf, value, path));
  if (anyOf && !anyOf.some((branch) => holds(branch, value))) found.push(choice(anyOf, value, path));
  for (const branch of allOf) checkBranches(branch, value, path, found);
  if (not && holds(not, value)) found.push(notAsRuled(path, 'has a value that is not allowed'));
}

/** A branch says what must be present and how it must look; it never says which fields exist. */
function holds(branch: Schema, value: unknown): boolean {
  const absent = (name: string): boolean =>
    !isMap(value) || !Object.hasOwn(value, name) || value[name] === null;
  if ((branch.required ?? []).some(absent)) return false;
  const found: Finding[] = [];
  walk(branch, value, [], { found, strict: false });
  return found.length === 0;
}

function choice(branches: readonly Schema[], value: unknown, path: Path): Finding {
  const choices = [...new Set(branches.flatMap(({ required = [] }) => required))];
  const present = choices.filter((name) => isMap(value) && Object.hasOwn(value, name));
  if (choices.length === 0 || present.length === 1)
    return notAsRuled(path, 'has a value that is not allowed');
  return notExactlyOne(path, present, choices);
}
