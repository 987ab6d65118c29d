import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ObjectRef } from '../model/object-ref.ts';
import { type Applied, type AppliedFact, createAppliedLedger, type WantedResource } from './ledger.ts';
import type { WantedLayer, WantedSet } from './wanted-set.ts';

const ref = (name: string): ObjectRef => ({ group: '', kind: 'Service', namespace: 'campus', name });
const objects = ['web', 'pay', 'risk'].map(ref);
const workloads = ['campus/web-1', 'campus/pay-1'];

/** One layer for each type; equal layers are one, as where proxies share them. */
function createSets(): (resources: readonly WantedResource[]) => WantedSet {
  const known = new Map<string, WantedLayer>();
  return (resources) => {
    const byType = Object.entries(Object.groupBy(resources, ({ type }) => type));
    const layers = byType.map(([type, list = []]) => {
      const key = JSON.stringify([type, list]);
      const layer = known.get(key) ?? {
        byType: { [type]: new Map(list.map((resource) => [resource.name, resource])) },
      };
      known.set(key, layer);
      return layer;
    });
    return { layers };
  };
}

type Op =
  | { readonly kind: 'want'; readonly workload: string; readonly resources: readonly WantedResource[] }
  | { readonly kind: 'fact'; readonly workload: string; readonly fact: AppliedFact }
  | { readonly kind: 'reset'; readonly workload: string }
  | { readonly kind: 'forget'; readonly workload: string };

const workload = fc.constantFrom(...workloads);
const type = fc.constantFrom('cluster', 'route');
const name = fc.constantFrom('a', 'b', 'c');
const version = fc.constantFrom('1', '2');
const resources = fc.uniqueArray(
  fc.record({ type, name, version, origin: fc.subarray(objects, { minLength: 0 }) }),
  { selector: (resource) => `${resource.type}|${resource.name}` },
);
const fact: fc.Arbitrary<AppliedFact> = fc.oneof(
  fc.record({ kind: fc.constantFrom('sent' as const, 'acked' as const), type, name, version }),
  fc.record({
    kind: fc.constant('nacked' as const),
    type,
    name,
    version,
    message: fc.constantFrom('x', 'y'),
  }),
  fc.record({ kind: fc.constant('removed' as const), type, name }),
);
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ kind: fc.constant('want' as const), workload, resources }),
  fc.record({ kind: fc.constant('fact' as const), workload, fact }),
  fc.record({ kind: fc.constant('fact' as const), workload, fact }),
  fc.record({ kind: fc.constant('reset' as const), workload }),
  fc.record({ kind: fc.constant('forget' as const), workload }),
);

/** The ledger's meaning, said plainly and slowly: replay everything, then look at every resource. */
function recompute(ops: readonly Op[]) {
  type Plain = { want: WantedResource[]; held: Map<string, string>; refused: Map<string, [string, string]> };
  const proxies = new Map<string, Plain>();
  const at = (key: string): Plain => {
    const plain = proxies.get(key) ?? { want: [], held: new Map(), refused: new Map() };
    proxies.set(key, plain);
    return plain;
  };
  const keyOf = (r: { type: string; name: string }): string => `${r.type}|${r.name}`;
  for (const o of ops) {
    if (o.kind === 'forget') proxies.delete(o.workload);
    else if (o.kind === 'reset') {
      if (proxies.has(o.workload)) Object.assign(at(o.workload), { held: new Map(), refused: new Map() });
    } else if (o.kind === 'want') {
      const plain = at(o.workload);
      plain.want = [...o.resources];
      // What is neither wanted nor held leaves no trace: an old refusal is not remembered for later.
      const wanted = new Set(plain.want.map(keyOf));
      for (const key of plain.refused.keys())
        if (!wanted.has(key) && !plain.held.has(key)) plain.refused.delete(key);
    } else {
      const plain = at(o.workload);
      const key = keyOf(o.fact);
      if (o.fact.kind === 'sent') plain.refused.delete(key);
      if (o.fact.kind === 'acked') {
        plain.held.set(key, o.fact.version);
        plain.refused.delete(key);
      }
      if (o.fact.kind === 'nacked') plain.refused.set(key, [o.fact.version, o.fact.message]);
      if (o.fact.kind === 'removed') plain.held.delete(key);
      if (!plain.want.some((r) => keyOf(r) === key) && !plain.held.has(key)) plain.refused.delete(key);
    }
  }
  const state = (plain: Plain, r: WantedResource): 'acked' | 'pending' | 'rejected' =>
    plain.held.get(keyOf(r)) === r.version
      ? 'acked'
      : plain.refused.get(keyOf(r))?.[0] === r.version
        ? 'rejected'
        : 'pending';
  const answer = (object: ObjectRef): Applied => {
    const rows = [...proxies]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([key, plain]) => {
        const mine = plain.want.filter((r) => r.origin.includes(object));
        if (mine.length === 0) return [];
        const bad = mine.filter((r) => state(plain, r) === 'rejected');
        const message = bad.map((r) => plain.refused.get(keyOf(r))?.[1] ?? '').sort()[0] ?? '';
        const pending = mine.some((r) => state(plain, r) === 'pending');
        return [
          { workload: key, message, state: bad.length > 0 ? 'rejected' : pending ? 'pending' : 'acked' },
        ];
      });
    return {
      total: rows.length,
      acked: rows.filter((row) => row.state === 'acked').length,
      pending: rows.filter((row) => row.state === 'pending').map((row) => row.workload),
      rejected: rows
        .filter((row) => row.state === 'rejected')
        .map(({ workload: who, message }) => ({ workload: who, message })),
    };
  };
  const inSync = (key: string): boolean | undefined => {
    const plain = proxies.get(key);
    if (!plain) return undefined;
    const wanted = new Set(plain.want.map(keyOf));
    return (
      plain.want.every((r) => state(plain, r) === 'acked') &&
      [...plain.held.keys()].every((held) => wanted.has(held))
    );
  };
  return { answer, inSync };
}

test('the ledger says after each step what a recount of all steps says', () => {
  fc.assert(
    fc.property(fc.array(op, { maxLength: 40 }), (ops) => {
      const ledger = createAppliedLedger();
      const setOf = createSets();
      const told = new Map(objects.map((object) => [object.name, ledger.object(object)]));
      ops.forEach((o, index) => {
        if (o.kind === 'want') ledger.want(o.workload, setOf(o.resources), index);
        else if (o.kind === 'fact') ledger.fact(o.workload, o.fact, index);
        else if (o.kind === 'reset') ledger.reset(o.workload, index);
        else ledger.forget(o.workload);

        const plain = recompute(ops.slice(0, index + 1));
        const changed = ledger.takeChanged();
        for (const object of objects) {
          const now = ledger.object(object);
          assert.deepEqual(now, plain.answer(object));
          // Whoever looks only at changed objects is never wrong.
          if (!changed.has(`|Service|campus|${object.name}`)) assert.deepEqual(now, told.get(object.name));
          told.set(object.name, now);
        }
        for (const key of workloads) assert.equal(ledger.proxy(key)?.inSync, plain.inSync(key));
      });
    }),
    { numRuns: 300 },
  );
});

test('a rejection names the proxy and its words, and goes with the next good version', () => {
  const ledger = createAppliedLedger();
  const web = ref('web');
  const setOf = createSets();
  const wanted = (v: string): WantedSet =>
    setOf([
      { type: 'route', name: 'r', version: v, origin: [web] },
      { type: 'cluster', name: 'c', version: '1', origin: [web] },
    ]);
  for (const key of workloads) ledger.want(key, wanted('1'), 0);
  for (const key of workloads)
    ledger.fact(key, { kind: 'acked', type: 'cluster', name: 'c', version: '1' }, 1);
  ledger.fact('campus/web-1', { kind: 'acked', type: 'route', name: 'r', version: '1' }, 2);
  ledger.fact('campus/pay-1', { kind: 'nacked', type: 'route', name: 'r', version: '1', message: 'no' }, 2);
  assert.deepEqual(ledger.object(web), {
    total: 2,
    acked: 1,
    pending: [],
    rejected: [{ workload: 'campus/pay-1', message: 'no' }],
  });
  assert.deepEqual(ledger.proxy('campus/web-1'), {
    inSync: true,
    since: 2,
    wanted: 2,
    pending: 0,
    rejected: [],
  });

  ledger.want('campus/pay-1', wanted('2'), 5);
  assert.deepEqual(ledger.object(web).pending, ['campus/pay-1']);
  ledger.fact('campus/pay-1', { kind: 'acked', type: 'route', name: 'r', version: '2' }, 6);
  assert.deepEqual(ledger.object(web), { total: 2, acked: 2, pending: [], rejected: [] });
  assert.deepEqual(ledger.workloads(), ['campus/pay-1', 'campus/web-1']);
});

test('what a call reads depends on what it changes, not on how much a proxy wants', () => {
  const touched = (
    size: number,
  ): { readonly fact: number; readonly want: number; readonly objects: number } => {
    let reads = 0;
    const layerOf = (changed: string): WantedLayer => {
      const resources = Array.from({ length: size }, (_, i) => ({
        type: 'cluster',
        name: `c${i}`,
        get version() {
          reads += 1;
          return i === 0 ? changed : '1';
        },
        origin: [ref(`s${i}`)],
      }));
      return { byType: { cluster: new Map(resources.map((resource) => [resource.name, resource])) } };
    };
    const ledger = createAppliedLedger();
    const [before, after] = [layerOf('1'), layerOf('2')];
    // What did not change is the same object, as in layers that an interner has made.
    const shared = {
      byType: {
        cluster: new Map([
          ...(before.byType['cluster'] ?? []),
          ...[...(after.byType['cluster'] ?? [])].slice(0, 1),
        ]),
      },
    };
    for (const key of ['a/first', 'a/second']) ledger.want(key, { layers: [before] }, 0);
    const objects = ledger.takeChanged().size;
    const readsOf = (act: () => void): number => {
      const from = reads;
      act();
      return reads - from;
    };
    const fact = readsOf(() =>
      ledger.fact('a/second', { kind: 'acked', type: 'cluster', name: 'c0', version: '1' }, 1),
    );
    ledger.want('a/first', { layers: [shared] }, 2);
    const want = readsOf(() => ledger.want('a/second', { layers: [shared] }, 2));
    return { fact, want, objects };
  };
  const [small, large] = [touched(10), touched(1000)];
  assert.equal(large.objects, 1000);
  assert.deepEqual([large.fact, large.want], [small.fact, small.want]);
});
