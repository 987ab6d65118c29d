/**
 * How unchanged parts keep their reference. Three tools, all safe for the same reason: their inputs are immutable,
 * and a value is a function of its inputs alone, so remembering can change cost and identity, never content.
 */

/** `derive`, once per object. */
export function perObject<O extends object, V>(derive: (object: O) => V): (object: O) => V {
  const known = new WeakMap<O, { readonly value: V }>();
  return (object) => {
    const entry = known.get(object) ?? { value: derive(object) };
    known.set(object, entry);
    return entry.value;
  };
}

/** `derive`, once per list of the same objects in the same order. */
export function perList<T extends object, V>(derive: (list: readonly T[]) => V): (list: readonly T[]) => V {
  const known = new WeakMap<object, { readonly list: readonly T[]; readonly value: V }[]>();
  const forEmpty = {};
  return (list) => {
    const entries = known.get(list[0] ?? forEmpty) ?? [];
    const found = entries.find((entry) => sameItems(entry.list, list));
    if (found) return found.value;
    const value = derive(list);
    // A few, not all that ever were: lists with the same head come and go while their head stays.
    known.set(list[0] ?? forEmpty, [...entries.slice(-7), { list, value }]);
    return value;
  };
}

export function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

/** `next`, or as much of `previous` as has the same content: equal values come back with their old reference. */
export function reuse<T>(previous: unknown, next: T): T {
  if (previous === next || !isObject(previous) || !isObject(next)) return next;
  if (Array.isArray(previous) && Array.isArray(next)) {
    const items = next.map((item, i) => reuse(previous[i], item));
    // Same content, so the same type.
    return (sameItems(previous, items) ? previous : items) as T;
  }
  if (Array.isArray(previous) || Array.isArray(next)) return next;
  return reuseFields(previous, next);
}

function reuseFields<T>(previous: Record<string, unknown>, next: T & Record<string, unknown>): T {
  let same = Object.keys(previous).length === Object.keys(next).length;
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(next)) {
    const field = reuse(previous[name], value);
    // `defineProperty` because a label may be called `__proto__`.
    Object.defineProperty(fields, name, {
      value: field,
      enumerable: true,
      writable: true,
      configurable: true,
    });
    same &&= Object.hasOwn(previous, name) && previous[name] === field;
  }
  // Same fields with the same content, so the same type.
  return (same ? previous : fields) as T;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Entry by entry; the whole map when nothing differs, the order of its keys included. */
export function reuseMap<K, V>(
  previous: ReadonlyMap<K, V> | undefined,
  next: ReadonlyMap<K, V>,
): ReadonlyMap<K, V> {
  const entries = next.entries().map(([key, value]): [K, V] => [key, reuse(previous?.get(key), value)]);
  return keepMap(previous, new Map(entries));
}

/** The last map when it holds the same values by reference, in the same order. */
export function keepMap<K, V>(
  previous: ReadonlyMap<K, V> | undefined,
  next: ReadonlyMap<K, V>,
): ReadonlyMap<K, V> {
  if (previous?.size !== next.size) return next;
  const old = previous.entries();
  return next.entries().every(([key, value]) => {
    const [oldKey, oldValue] = old.next().value ?? [];
    return oldKey === key && oldValue === value;
  })
    ? previous
    : next;
}

/** As `reuseMap`, for lists whose items already have stable references: nothing looks inside them. */
export function reuseIndex<K, T>(
  previous: ReadonlyMap<K, readonly T[]> | undefined,
  next: ReadonlyMap<K, readonly T[]>,
): ReadonlyMap<K, readonly T[]> {
  const kept = ([key, list]: [K, readonly T[]]): [K, readonly T[]] => {
    const old = previous?.get(key);
    return [key, old && sameItems(old, list) ? old : list];
  };
  return new Map([...next].map(kept));
}

/**
 * One step of the way from objects to mesh: `derive` again only when a field of its input is another reference. It is
 * given its last output, to keep what it can of it; what it derives must not depend on that.
 */
export function staged<I extends object, O>(derive: (input: I, last: O | undefined) => O): (input: I) => O {
  let known: { readonly input: I; readonly output: O } | undefined;
  return (input) => {
    if (known && sameItems(Object.values(known.input), Object.values(input))) return known.output;
    known = { input, output: derive(input, known?.output) };
    return known.output;
  };
}

type Question = (about: string) => unknown;
/** One question that a derivation asked, and the answer it was given. */
export type Asked = { readonly question: string; readonly about: string; readonly answer: unknown };

/** The same questions, with every answer written down: what a derivation looked at is what it depends on. */
export function tracked<W extends Readonly<Record<keyof W, Question>>>(
  world: W,
): { readonly world: W; readonly asked: readonly Asked[] } {
  const asked: Asked[] = [];
  const recording = Object.fromEntries(
    Object.entries<Question>(world).map(([question, ask]) => [
      question,
      (about: string) => {
        const answer = ask(about);
        asked.push({ question, about, answer });
        return answer;
      },
    ]),
  );
  // Every entry of `world` was wrapped by a function that answers the same.
  return { world: recording as unknown as W, asked };
}

/** Would every question be answered as it was? Then so would the derivation. */
export function stillAnswers<W extends Readonly<Record<keyof W, Question>>>(
  world: W,
  asked: readonly Asked[],
): boolean {
  // `question` came out of a world of this type.
  return asked.every(({ question, about, answer }) => world[question as keyof W](about) === answer);
}
