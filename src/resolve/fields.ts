/** An empty list says as much as none: the default, as one entry. */
export function orElse<T>(list: readonly T[] | undefined, none: T): readonly T[] {
  return list?.length ? list : [none];
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the fields that are `undefined`: in the model an absent field is absent. */
export function defined<T extends object>(fields: T): Present<T> {
  // Only entries of T, less those that are undefined.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}

/** Without zeros as well, where zero is the API's way to say nothing. */
export function positive<T extends object>(fields: T): Present<T> {
  // Only entries of T, less some.
  return Object.fromEntries(Object.entries(defined(fields)).filter(([, value]) => value !== 0)) as Present<T>;
}
