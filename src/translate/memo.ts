/** `make`, called once for each key that is still alive. Keys are parts of the model, which never change. */
export function keptBy<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const made = new WeakMap<K, V>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    made.set(key, value);
    return value;
  };
}

/** The same for two keys, such as a part of the model and what it is combined with. */
export function keptByBoth<A extends object, B extends object, V>(
  make: (a: A, b: B) => V,
): (a: A, b: B) => V {
  const ofA = keptBy((a: A) => keptBy((b: B) => make(a, b)));
  return (a, b) => ofA(a)(b);
}

/** The same for a part of the model and a string. The strings live as long as the part. */
export function keptByText<A extends object, V>(make: (a: A, text: string) => V): (a: A, text: string) => V {
  const ofA = keptBy<A, Map<string, V>>(() => new Map());
  return (a, text) => {
    const made = ofA(a);
    const known = made.get(text);
    if (known !== undefined) return known;
    const value = make(a, text);
    made.set(text, value);
    return value;
  };
}
