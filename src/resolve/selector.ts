import type { Labels } from '../sources/types.ts';

/** All pairs must hold. */
export function selects(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(
    ([name, value]) => Object.hasOwn(labels, name) && labels[name] === value,
  );
}

type Labelled = { readonly namespace: string; readonly labels: Labels };

/** Finds labelled things of one namespace by selector, without walking through all of them. Keeps their order. */
export type LabelIndex<T extends Labelled> = {
  readonly select: (namespace: string, selector: Labels) => readonly T[];
};

export function indexLabels<T extends Labelled>(items: Iterable<T>): LabelIndex<T> {
  const byPair = new Map<string, T[]>();
  const add = (key: string, item: T): void => {
    const list = byPair.get(key);
    if (list) list.push(item);
    else byPair.set(key, [item]);
  };
  for (const item of items) {
    add(item.namespace, item);
    for (const [name, value] of Object.entries(item.labels)) add(`${item.namespace} ${name}=${value}`, item);
  }
  return {
    select: (namespace, selector) => {
      const lists = Object.entries(selector).map(
        ([name, value]) => byPair.get(`${namespace} ${name}=${value}`) ?? [],
      );
      const all = byPair.get(namespace) ?? [];
      const fewest = lists.reduce((a, b) => (b.length < a.length ? b : a), all);
      return fewest.filter((item) => selects(selector, item.labels));
    },
  };
}
