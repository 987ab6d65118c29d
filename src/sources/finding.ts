import type { Problem } from '../model/problem.ts';

/** From the top of an object (or of a document) to a value in it. */
export type Path = readonly (string | number)[];

/** Something wrong inside one object, before it is known how that object is called. */
export type Finding = {
  readonly code: Problem['code'];
  /** `error` unless said. */
  readonly severity?: Problem['severity'];
  readonly path: Path;
  /** Is the key wrong (an unknown field), or the value? */
  readonly at: 'key' | 'value';
  /** The sentence after the path: `must be …, got …`. */
  readonly says: string;
  readonly fix: string;
};

/** `spec.rules[0].name`; keys that are no plain words stand in brackets: `metadata.labels[app.kubernetes.io/name]`. */
export function showPath(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[A-Za-z_][\w-]*$/.test(step)) return `[${shorten(printable(step))}]`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}

/** A value as a message shows it: one line, no control characters, no more than 128 characters. */
export function showValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? `"${shorten(printable(value))}"` : String(value);
}

/** Escapes what a terminal would act on, or the eye not see. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (c) => `\\u${(c.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

export function shorten(text: string): string {
  return text.length <= 128 ? text : `${text.slice(0, 125)}…`;
}
