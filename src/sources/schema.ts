import { schemas } from '../../gen/kubernetes/schemas.ts';
import { coreBounds } from './core-bounds.ts';

/** A structural schema, as CustomResourceDefinitions carry it; core kinds have theirs in the same form. */
export type Schema = {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly nullable?: boolean;
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly not?: Schema;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly CelRule[];
};
export type CelRule = { readonly rule: string; readonly message?: string };

const bounded = new Map<string, Schema>();

/** The schema of a kind, or `undefined` when there is none. Versions that only differ in name share one by reference. */
export function schemaOf(apiVersion: string, kind: string): Schema | undefined {
  const key = `${apiVersion}/${kind}`;
  if (!Object.hasOwn(schemas, key)) return undefined;
  const known = bounded.get(key);
  if (known) return known;
  // The generator wrote it from structural schemas, which have this form.
  const plain = schemas[key] as Schema;
  const schema = Object.entries(coreBounds[key] ?? {}).reduce(
    (whole, [path, bounds]) => withBounds(whole, path.split('.'), bounds),
    plain,
  );
  bounded.set(key, schema);
  return schema;
}

/** Every `group/version/Kind` that has a schema; the core group is written `v1/Pod`. */
export function schemaKeys(): readonly string[] {
  return Object.keys(schemas);
}

function withBounds(schema: Schema, path: readonly string[], bounds: Schema): Schema {
  const [name, ...rest] = path;
  if (name === undefined) return { ...schema, ...bounds };
  if (name === '[]') return { ...schema, items: withBounds(schema.items ?? {}, rest, bounds) };
  const property = withBounds(schema.properties?.[name] ?? {}, rest, bounds);
  return { ...schema, properties: { ...schema.properties, [name]: property } };
}

/** The schema of one field, declared or of a map; an inherited name such as `constructor` is no field. */
export function propertyOf(schema: Schema, name: string): Schema | undefined {
  const { properties, additionalProperties } = schema;
  if (properties && Object.hasOwn(properties, name)) return properties[name];
  return typeof additionalProperties === 'object' ? additionalProperties : undefined;
}
