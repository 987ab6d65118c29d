import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { deepEqual } from '../base/content.ts';
import { createStore, type Store, type Stored, type StoreEvent } from './store.ts';

type Thing = Stored & { readonly spec: unknown };
type Things = { readonly Service: Thing; readonly Pod: Thing };

function thing(
  kind: string,
  name: string,
  more: { at?: string; namespace?: string; spec?: unknown } = {},
): Thing {
  const { at = '', namespace = 'campus', spec = {} } = more;
  return { apiVersion: 'v1', kind, metadata: { name, namespace, creationTimestamp: at }, spec };
}
const apply = (object: Stored): StoreEvent => ({ kind: 'applied', object });
const remove = (kind: string, name: string, namespace = 'campus'): StoreEvent => ({
  kind: 'deleted',
  ref: { group: '', kind, namespace, name },
});
const names = (store: Store<Things>, kind: 'Service' | 'Pod' = 'Service'): string[] =>
  store
    .view()
    .list(kind)
    .map(({ metadata }) => metadata.name);

describe('store', () => {
  it('lists oldest first, unknown age last, then name and namespace', () => {
    const store = createStore<Things>();
    store.apply([
      apply(thing('Service', 'b')),
      apply(thing('Service', 'z', { namespace: 'alpha' })),
      apply(thing('Service', 'a')),
      apply(thing('Service', 'young', { at: '2026-02-01T00:00:00Z' })),
      apply(thing('Service', 'old', { at: '2025-01-01T00:00:00Z' })),
    ]);
    assert.deepEqual(names(store), ['old', 'young', 'a', 'b', 'z']);
  });

  it('says no change for equal content, whatever the key order, and keeps the old reference', () => {
    const store = createStore<Things>();
    assert.equal(store.apply([apply(thing('Service', 'a', { spec: { x: 1, y: [2] } }))]), true);
    const before = store.view();
    assert.equal(store.apply([apply(thing('Service', 'a', { spec: { y: [2], x: 1 } }))]), false);
    assert.equal(store.view(), before);
    assert.equal(store.apply([remove('Service', 'never-there'), { kind: 'synced' }]), false);
    assert.equal(store.view(), before);
  });

  it('takes a batch as one moment: gone and back is no change', () => {
    const store = createStore<Things>();
    store.apply([apply(thing('Service', 'a'))]);
    assert.equal(store.apply([remove('Service', 'a'), apply(thing('Service', 'a'))]), false);
    assert.equal(store.apply([apply(thing('Pod', 'p')), remove('Pod', 'p')]), false);
  });

  it('leaves the lists of other kinds alone', () => {
    const store = createStore<Things>();
    store.apply([apply(thing('Service', 'a')), apply(thing('Pod', 'p'))]);
    const before = store.view();
    store.apply([apply(thing('Pod', 'q'))]);
    const after = store.view();
    assert.equal(after.list('Service'), before.list('Service'));
    assert.notEqual(after.list('Pod'), before.list('Pod'));
    assert.deepEqual([after.kindRevision('Service'), after.kindRevision('Pod')], [1, 2]);
  });

  it('keeps an old view as it was', () => {
    const store = createStore<Things>();
    store.apply([apply(thing('Service', 'a'))]);
    const before = store.view();
    store.apply([remove('Service', 'a'), apply(thing('Service', 'b'))]);
    assert.deepEqual(
      before.list('Service').map(({ metadata }) => metadata.name),
      ['a'],
    );
    const ref = { group: '', kind: 'Service', namespace: 'campus', name: 'a' } as const;
    assert.equal(before.get(ref)?.metadata.name, 'a');
    assert.equal(store.view().get(ref), undefined);
  });

  it('freezes what it keeps, to the leaves', () => {
    const store = createStore<Things>();
    store.apply([apply(thing('Service', 'a', { spec: { ports: [{ port: 80 }] } }))]);
    const [object] = store.view().list('Service');
    const { ports } = (object?.spec ?? {}) as { ports: { port: number }[] };
    assert.throws(() => Object.assign(ports[0] ?? {}, { port: 1 }), TypeError);
    assert.throws(() => (store.view().list('Service') as Thing[]).push(thing('Service', 'x')), TypeError);
  });

  it('tells groups of one kind name apart, and odd names from inherited ones', () => {
    const store = createStore<Things>();
    const odd = thing('Service', 'constructor', { spec: JSON.parse('{"__proto__": {"a": 1}}') });
    store.apply([apply(odd), apply({ ...thing('Service', 'constructor'), apiVersion: 'other/v1' })]);
    assert.equal(store.view().list('Service').length, 2);
    assert.equal(deepEqual(odd.spec, JSON.parse('{"__proto__": {"a": 2}}')), false);
    assert.equal(deepEqual({}, JSON.parse('{"__proto__": {"a": 2}}')), false);
  });

  it('is a map by kind, namespace and name, whatever the order of events', () => {
    const name = fc.constantFrom('a', 'b', 'c', '__proto__');
    const kind = fc.constantFrom<'Service' | 'Pod'>('Service', 'Pod');
    const namespace = fc.constantFrom('x', 'y');
    const at = fc.constantFrom('', '2025-01-01T00:00:00Z', '2026-01-01T00:00:00Z');
    const event = fc.oneof(
      fc
        .tuple(kind, name, fc.record({ namespace, at, spec: fc.constantFrom({}, { a: 1 }, { a: [1, 2] }) }))
        .map(([k, n, more]) => apply(thing(k, n, more))),
      fc.tuple(kind, name, namespace).map((of) => remove(...of)),
      fc.constant<StoreEvent>({ kind: 'problems' }),
    );
    fc.assert(
      fc.property(fc.array(fc.array(event, { maxLength: 6 }), { maxLength: 12 }), (batches) => {
        const store = createStore<Things>();
        const naive = new Map<string, Thing>();
        for (const batch of batches) {
          const before = { view: store.view(), naive: JSON.stringify(sortedNaive(naive)) };
          for (const one of batch) applyNaive(naive, one);
          const changed = store.apply(batch);
          assert.equal(changed, JSON.stringify(sortedNaive(naive)) !== before.naive);
          assert.equal(store.view() === before.view, !changed);
          const lists = [...store.view().list('Service'), ...store.view().list('Pod')];
          assert.deepEqual(lists, sortedNaive(naive));
          for (const object of naive.values()) {
            const { name: n, namespace: ns } = object.metadata;
            const ref = { group: '', kind: object.kind as 'Pod', namespace: ns, name: n };
            assert.deepEqual(store.view().get(ref), object);
          }
        }
      }),
    );
  });
});

function applyNaive(naive: Map<string, Thing>, event: StoreEvent): void {
  if (event.kind === 'applied') {
    const { kind, metadata } = event.object;
    naive.set(`${kind} ${metadata.namespace} ${metadata.name}`, event.object as Thing);
  } else if (event.kind === 'deleted') {
    naive.delete(`${event.ref.kind} ${event.ref.namespace} ${event.ref.name}`);
  }
}

function sortedNaive(naive: ReadonlyMap<string, Thing>): Thing[] {
  const key = ({ kind, metadata: m }: Thing): string[] => [
    kind === 'Service' ? '0' : '1',
    m.creationTimestamp || '9999',
    m.name,
    m.namespace,
  ];
  return [...naive.values()].sort((a, b) => (key(a).join('!') < key(b).join('!') ? -1 : 1));
}
