import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Problem } from '../model/problem.ts';
import { type Applied, conditions, type StatusInput } from './status.ts';

const everywhere: Applied = { total: 42, acked: 42, pending: [], rejected: [] };
const nowhere: Applied = { total: 0, acked: 0, pending: [], rejected: [] };
const ref = { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'campus', name: 'pay' };
const input: StatusInput = {
  ref,
  generation: 3,
  problems: [],
  applied: everywhere,
  live: true,
  now: '2030-01-01T00:00:10Z',
};

function problem(code: Problem['code'], over: Partial<Problem> = {}): Problem {
  const base = { severity: 'error', reason: 'Because', message: 'it is so', fix: 'change it' } as const;
  return { code, ...base, ref, field: '', ...over };
}

/** One line each: `Accepted=True Accepted: the object is accepted`. */
function lines(over: Partial<StatusInput>): string[] {
  const { conditions: all } = conditions({ ...input, ...over });
  return all.map((c) => `${c.type}=${c.status} ${c.reason}: ${c.message}`);
}

test('an object that is well and everywhere', () => {
  assert.deepEqual(lines({}), [
    'Accepted=True Accepted: the object is accepted',
    'ResolvedRefs=True ResolvedRefs: everything it refers to exists',
    'Programmed=True Programmed: applied on 42 of 42 proxies',
  ]);
});

test('a missing backend is a question of references alone', () => {
  const problems = [problem('WEFT-1201', { reason: 'BackendNotFound', message: 'no Service campus/pey' })];
  assert.deepEqual(lines({ problems }), [
    'Accepted=True Accepted: the object is accepted',
    'ResolvedRefs=False BackendNotFound: no Service campus/pey',
    'Programmed=True Programmed: applied on 42 of 42 proxies',
  ]);
});

test('a form that the source refused leaves the one before it alive', () => {
  const kept = 'port must be a number; the last good form stays live';
  assert.deepEqual(lines({ problems: [problem('WEFT-1005', { reason: 'Invalid', message: kept })] }), [
    `Accepted=False Invalid: ${kept}`,
    'ResolvedRefs=True ResolvedRefs: everything it refers to exists',
    'Programmed=True Programmed: applied on 42 of 42 proxies, as last accepted',
  ]);
  const problems = [problem('WEFT-1005', { reason: 'Invalid', message: 'port must be a number' })];
  assert.deepEqual(lines({ problems, live: false, applied: nowhere }), [
    'Accepted=False Invalid: port must be a number; nothing of it is live',
    'ResolvedRefs=True ResolvedRefs: everything it refers to exists',
    'Programmed=False NotAccepted: not applied: no form was ever accepted',
  ]);
});

test('Programmed counts proxies and quotes the ones that said no', () => {
  const rejected = [{ workload: 'campus/web-7', message: 'regex too large' }];
  const of = (applied: Applied, kind = 'HTTPRoute'): string | undefined =>
    lines({ applied, ref: { ...ref, kind } })[2];
  assert.equal(
    of({ total: 42, acked: 41, pending: [], rejected }),
    'Programmed=False Rejected: applied on 41 of 42 proxies; campus/web-7 rejected: regex too large',
  );
  assert.equal(
    of({ total: 9, acked: 4, pending: ['a/1', 'a/2', 'a/3', 'a/4', 'a/5'], rejected: [] }),
    'Programmed=Unknown Pending: applied on 4 of 9 proxies; waiting for a/1; a/2; a/3; and 2 more',
  );
  assert.equal(of(nowhere), 'Programmed=True NoProxyAffected: no proxy needs it now');
  assert.equal(
    of(nowhere, 'Namespace'),
    'Programmed=True NoProxyResource: a Namespace shapes no proxy resource',
  );
});

test('a workload that cannot start is not programmed, though accepted', () => {
  const problems = [problem('WEFT-1213', { reason: 'CannotStart', message: 'no such file: ./web' })];
  assert.deepEqual(lines({ problems, applied: nowhere, ref: { ...ref, kind: 'Deployment' } }), [
    'Accepted=True Accepted: the object is accepted',
    'ResolvedRefs=True ResolvedRefs: everything it refers to exists',
    'Programmed=False CannotStart: no such file: ./web',
  ]);
});

test('a warning changes no answer and is not lost', () => {
  const problems = [problem('WEFT-1210', { severity: 'warning', message: 'it selects no pod' })];
  assert.equal(
    lines({ problems })[0],
    'Accepted=True Accepted: the object is accepted; warning: it selects no pod',
  );
});

test('a transition time moves only with the answer', () => {
  const first = conditions(input);
  const problems = [problem('WEFT-1201')];
  const later = conditions({
    ...input,
    problems,
    generation: 4,
    previous: first,
    now: '2030-01-01T00:00:20Z',
  });
  assert.deepEqual(
    later.conditions.map((c) => [c.type, c.lastTransitionTime, c.observedGeneration]),
    [
      ['Accepted', '2030-01-01T00:00:10Z', 4],
      ['ResolvedRefs', '2030-01-01T00:00:20Z', 4],
      ['Programmed', '2030-01-01T00:00:10Z', 4],
    ],
  );
});

test('an HTTPRoute answers for each parent that is a Service, and for no other', () => {
  const parentRefs = [
    { group: '', kind: 'Service', name: 'pay', port: 8080 },
    { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' },
  ];
  const { parents } = conditions({ ...input, parentRefs });
  assert.deepEqual(
    parents?.map((p) => [p.parentRef, p.controllerName, p.conditions.map(({ type }) => type)]),
    [[parentRefs[0], 'weft.dev/controller', ['Accepted', 'ResolvedRefs']]],
  );
  assert.equal(conditions({ ...input, ref: { ...ref, kind: 'VirtualService' } }).parents, undefined);
});

test('a route whose parent is not there is not accepted', () => {
  const problems = [problem('WEFT-1201', { reason: 'NoMatchingParent', message: 'no Service campus/pey' })];
  assert.deepEqual(lines({ problems }).slice(0, 2), [
    'Accepted=False NoMatchingParent: no Service campus/pey',
    'ResolvedRefs=True ResolvedRefs: everything it refers to exists',
  ]);
});
