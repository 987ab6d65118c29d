import { propertyOf, type Schema } from './schema.ts';
import { isMap } from './structure.ts';

/** A copy with the schema's defaults filled in and every `null` field gone, as an API server stores it. */
export function withDefaults(schema: Schema | undefined, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withDefaults(schema?.items, item));
  if (!isMap(value)) return value;
  const filled: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    if (item !== null) setOwn(filled, name, withDefaults(schema && propertyOf(schema, name), item));
  }
  for (const [name, property] of Object.entries(schema?.properties ?? {})) {
    if (property.default === undefined || Object.hasOwn(filled, name)) continue;
    setOwn(filled, name, withDefaults(property, structuredClone(property.default)));
  }
  return filled;
}

/** Plain assignment would take `__proto__`, which users may well write, for something else. */
export function setOwn(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
}
