import { isIP } from 'node:net';
import { CelScalar, celEnv, celFunc, celMethod, isCelError, mapType, parse, plan } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import { type Finding, type Path, showValue } from './finding.ts';
import { type CelRule, propertyOf, type Schema } from './schema.ts';
import { isMap } from './structure.ts';

/**
 * Checks the CEL rules of a schema. Only for values that passed `checkStructure` and have their defaults. Rules about
 * a change (`oldSelf`) are left out: a directory has no old form that both sides agree on.
 */
export function checkRules(schema: Schema, value: unknown, path: Path = []): readonly Finding[] {
  if (value === undefined || value === null) return [];
  const rules = (schema['x-kubernetes-validations'] ?? []).filter(({ rule }) => !rule.includes('oldSelf'));
  const self = rules.length === 0 ? null : celValue(schema, value);
  const own = rules.filter((rule) => !holds(rule, self)).map((rule) => broken(rule, value, path));
  if (Array.isArray(value)) {
    const { items } = schema;
    return items
      ? [...own, ...value.flatMap((item, index) => checkRules(items, item, [...path, index]))]
      : own;
  }
  if (!isMap(value)) return own;
  return own.concat(
    Object.entries(value).flatMap(([name, item]) => {
      const known = propertyOf(schema, name);
      return known ? checkRules(known, item, [...path, name]) : [];
    }),
  );
}

function broken(rule: CelRule, value: unknown, path: Path): Finding {
  const duration = /duration\(self\)/.test(rule.rule);
  const got = typeof value === 'object' ? '' : `, got ${showValue(value)}`;
  const message = rule.message ?? `must satisfy ${rule.rule.replace(/\s+/g, ' ')}`;
  return {
    code: 'WEFT-1005',
    path,
    at: 'value',
    says: message.startsWith('must ') ? `${message}${got}` : `breaks a rule: ${message}${got}`,
    fix: duration ? `write a duration, such as ${path.at(-1)}: 10s` : 'change it so that the rule holds',
  };
}

type Rule = (bindings: { readonly self: CelInput }) => unknown;
/** What the CEL library takes: integers as bigint, objects as maps. */
type CelInput =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly CelInput[]
  | ReadonlyMap<string, CelInput>;

const planned = new Map<string, Rule>();

function holds({ rule }: CelRule, self: CelInput): boolean {
  try {
    const known = planned.get(rule) ?? planRule(rule);
    planned.set(rule, known);
    return known({ self }) === true;
  } catch {
    // As in an API server: a rule that cannot be evaluated does not hold, so a bad value never slips through.
    return false;
  }
}

const { STRING, BOOL } = CelScalar;
/** Kubernetes' own additions to CEL, as far as the schemas use them. */
const environment = celEnv({
  funcs: [
    ...strings,
    celFunc('isIP', [STRING], BOOL, (text) => isIP(text) !== 0),
    celFunc('isURL', [STRING], BOOL, (text) => URL.canParse(text) || text.startsWith('/')),
    celFunc('url', [STRING], mapType(STRING, STRING), (text) => new Map([['scheme', scheme(text)]])),
    celMethod('getScheme', mapType(STRING, STRING), [], STRING, function () {
      return String(this.get('scheme') ?? '');
    }),
  ],
});

function scheme(text: string): string {
  return URL.parse(text)?.protocol.slice(0, -1) ?? '';
}

function planRule(rule: string): Rule {
  const run = plan(environment, parse(rule));
  return ({ self }) => {
    // The library's type of inputs is invariant; what `celValue` makes is inside it.
    const result = run({ self } as Parameters<typeof run>[0]);
    if (isCelError(result)) throw result;
    return result;
  };
}

function celValue(schema: Schema | undefined, value: unknown): CelInput {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return isInteger(schema, value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map((item) => celValue(schema?.items, item));
  const entries = Object.entries(value).map(([name, item]): readonly [string, CelInput] => {
    const isProperty = schema?.properties && Object.hasOwn(schema.properties, name);
    return [isProperty ? escaped(name) : name, celValue(schema && propertyOf(schema, name), item)];
  });
  return new Map(entries);
}

function isInteger(schema: Schema | undefined, value: number): boolean {
  return Number.isInteger(value) && schema?.type !== 'number';
}

const reserved =
  /^(true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while)$/;

/** The names that rules use for fields whose own are no CEL identifiers. */
function escaped(name: string): string {
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__')
    .replace(reserved, '__$1__');
}
