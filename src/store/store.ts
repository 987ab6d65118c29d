import { deepEqual, deepFreeze } from '../base/content.ts';
import { compareStrings } from '../base/sorted.ts';

/**
 * Keeps what the sources said last, and says what changed. Events come in; immutable views go out. It knows how
 * objects are named and aged, and nothing else about them: it never validates, never looks inside a spec.
 */

/** What the store needs to know of an object. Kubernetes' objects have this shape. */
export type Stored = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    /** RFC 3339 in UTC, or `''` when unknown. */
    readonly creationTimestamp: string;
  };
};

/** The type of each kind's objects, by the kind's name. A kind's name means one group. */
export type Kinds = Readonly<Record<string, Stored>>;

export type StoredRef = {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
};

/** Other events of a source are no business of the store's; it takes them and does nothing. */
export type StoreEvent =
  | { readonly kind: 'applied'; readonly object: Stored }
  | { readonly kind: 'deleted'; readonly ref: StoredRef }
  | { readonly kind: 'problems' | 'synced' };

/** One moment of the store. Frozen: it never changes, however the store goes on. */
export type StoreView<K extends Kinds> = {
  /** Counts batches that changed something. */
  readonly revision: number;
  /** Oldest first: by creation time (unknown is youngest), then name, then namespace. The same array while nothing changed. */
  readonly list: <Kind extends keyof K & string>(kind: Kind) => readonly K[Kind][];
  readonly get: <Kind extends keyof K & string>(
    ref: StoredRef & { readonly kind: Kind },
  ) => K[Kind] | undefined;
  /** The revision at which an object of the kind last changed; 0 when none ever did. */
  readonly kindRevision: (kind: keyof K & string) => number;
};

export type Store<K extends Kinds> = {
  /**
   * Applies a batch as one moment and says whether anything changed. An object equal to the one held keeps the old
   * reference. The caller vouches that an object of kind `X` is a `K['X']`: a source's schemas see to that.
   */
  readonly apply: (events: readonly StoreEvent[]) => boolean;
  /** The current view; the same reference until the next change. */
  readonly view: () => StoreView<K>;
};

/** All objects of one kind. Replaced, never changed. */
type Table = {
  readonly objects: ReadonlyMap<string, Stored>;
  readonly sorted: readonly Stored[];
  readonly revision: number;
};
type Tables = ReadonlyMap<string, Table>;

const emptyTable: Table = { objects: new Map(), sorted: Object.freeze([]), revision: 0 };

export function createStore<K extends Kinds>(): Store<K> {
  let tables: Tables = new Map();
  let view = viewOf<K>(tables, 0);
  return {
    apply: (events) => {
      const next = applied(tables, lastSaid(events), view.revision + 1);
      if (next === tables) return false;
      tables = next;
      view = viewOf(tables, view.revision + 1);
      return true;
    },
    view: () => view,
  };
}

function viewOf<K extends Kinds>(tables: Tables, revision: number): StoreView<K> {
  return Object.freeze<StoreView<K>>({
    revision,
    list: <Kind extends keyof K & string>(kind: Kind) =>
      // `apply` promises that the table of a kind holds that kind's type.
      (tables.get(kind) ?? emptyTable).sorted as readonly K[Kind][],
    get: <Kind extends keyof K & string>(ref: StoredRef & { readonly kind: Kind }) =>
      // As above.
      tables.get(ref.kind)?.objects.get(keyOf(ref)) as K[Kind] | undefined,
    kindRevision: (kind) => tables.get(kind)?.revision ?? 0,
  });
}

/** By kind and key: the object as the batch leaves it, or `undefined` for gone. */
type Changes = ReadonlyMap<string, ReadonlyMap<string, Stored | undefined>>;

function lastSaid(events: readonly StoreEvent[]): Changes {
  const changes = new Map<string, Map<string, Stored | undefined>>();
  for (const event of events) {
    if (event.kind !== 'applied' && event.kind !== 'deleted') continue;
    const ref = event.kind === 'applied' ? refOf(event.object) : event.ref;
    const ofKind = changes.get(ref.kind) ?? new Map<string, Stored | undefined>();
    ofKind.set(keyOf(ref), event.kind === 'applied' ? event.object : undefined);
    changes.set(ref.kind, ofKind);
  }
  return changes;
}

function applied(tables: Tables, changes: Changes, revision: number): Tables {
  const next = new Map(tables);
  let changed = false;
  for (const [kind, wanted] of changes) {
    const table = tables.get(kind) ?? emptyTable;
    const real = [...wanted].filter(([key, object]) => !deepEqual(table.objects.get(key), object));
    if (real.length === 0) continue;
    next.set(kind, changedTable(table, new Map(real), revision));
    changed = true;
  }
  return changed ? next : tables;
}

function changedTable(
  table: Table,
  wanted: ReadonlyMap<string, Stored | undefined>,
  revision: number,
): Table {
  const objects = new Map(table.objects);
  const fresh: Stored[] = [];
  for (const [key, object] of wanted) {
    if (object === undefined) {
      objects.delete(key);
    } else {
      objects.set(key, deepFreeze(object));
      fresh.push(object);
    }
  }
  const kept = table.sorted.filter((object) => !wanted.has(keyOf(refOf(object))));
  return { objects, sorted: Object.freeze(merged(kept, fresh.sort(compareAge))), revision };
}

/** Two sorted lists as one: a change costs a walk, not a sort, of the kind. */
function merged(kept: readonly Stored[], fresh: readonly Stored[]): readonly Stored[] {
  const all: Stored[] = [];
  let next = 0;
  for (const object of kept) {
    for (let other = fresh[next]; other && compareAge(other, object) < 0; other = fresh[++next])
      all.push(other);
    all.push(object);
  }
  return all.concat(fresh.slice(next));
}

// '~' sorts after every digit, so that an unknown age is the youngest.
const unknownAge = '~';

function compareAge({ metadata: a }: Stored, { metadata: b }: Stored): number {
  return (
    compareStrings(a.creationTimestamp || unknownAge, b.creationTimestamp || unknownAge) ||
    compareStrings(a.name, b.name) ||
    compareStrings(a.namespace, b.namespace)
  );
}

function refOf({ apiVersion, kind, metadata }: Stored): StoredRef {
  const slash = apiVersion.indexOf('/');
  return {
    group: slash < 0 ? '' : apiVersion.slice(0, slash),
    kind,
    namespace: metadata.namespace,
    name: metadata.name,
  };
}

function keyOf({ group, namespace, name }: StoredRef): string {
  return `${group}|${namespace}|${name}`;
}
