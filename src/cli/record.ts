/** A way to look at JSON of unknown shape: what is not an object has no fields. */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return {};
  // Every field of an object is `unknown` here, which is true of all objects.
  return value as Readonly<Record<string, unknown>>;
}

export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function asText(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}
