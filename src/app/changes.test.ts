import assert from 'node:assert/strict';
import test from 'node:test';
import type { ObjectEntry, ProblemEntry } from '../admin/types.ts';
import { createChanges, type News, type Observed } from './changes.ts';

type Programmed = readonly ['True' | 'False' | 'Unknown', string, string];
const everywhere: Programmed = ['True', 'Programmed', 'applied on 11 of 11 proxies'];

function route(weight: number, [status, reason, message]: Programmed = everywhere): ObjectEntry {
  const condition = { observedGeneration: 1, lastTransitionTime: '' };
  return {
    object: {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'pay', namespace: 'campus', generation: weight },
      spec: { weight },
      status: { conditions: [{ type: 'Programmed', status, reason, message, ...condition }] },
    },
    location: { file: 'traffic.yaml', line: 3, column: 1 },
    applied: { acked: 11, total: 11 },
  };
}

function problem(fields: Partial<ProblemEntry>): ProblemEntry {
  return {
    code: 'WEFT-1004',
    severity: 'error',
    reason: 'UnknownField',
    message: 'VirtualService campus/pay: spec.routte is not a known field; the last good form stays live',
    fix: 'write it like the schema',
    ref: { group: 'networking.istio.io', kind: 'VirtualService', namespace: 'campus', name: 'pay' },
    field: 'spec.routte',
    location: { file: 'traffic.yaml', line: 9, column: 22 },
    ...fields,
  };
}

const look = (objects: readonly ObjectEntry[], problems: readonly ProblemEntry[] = []): Observed => ({
  objects,
  problems,
});
const told = ({ changes }: News): string[] => changes.map(({ mark, text }) => `${mark} ${text}`);

test('a new form is told once, when it is where it belongs', () => {
  const see = createChanges();
  assert.deepEqual(see(look([route(1)])), { changes: [], settled: true });
  assert.deepEqual(see(look([route(1)])), { changes: [], settled: true });
  assert.deepEqual(see(look([route(2)])), { changes: [], settled: false });
  assert.equal(see(look([route(2, ['Unknown', 'Pending', 'applied on 3 of 11 proxies'])])).settled, false);
  const news = see(look([route(2)]));
  assert.deepEqual(told(news), ['ok traffic.yaml: VirtualService campus/pay applied on 11 of 11 proxies']);
  assert.equal(news.settled, true);
  assert.deepEqual(told(see(look([route(2)]))), []);
  assert.deepEqual(told(see(look([]))), ['ok traffic.yaml: VirtualService campus/pay is gone']);
});

test('what proxies reject is told as that', () => {
  const see = createChanges();
  see(look([route(1)]));
  const rejected: Programmed = ['False', 'Rejected', 'applied on 10 of 11 proxies; campus/web rejected: no'];
  see(look([route(2, rejected)]));
  assert.deepEqual(told(see(look([route(2, rejected)]))), [
    'fail traffic.yaml: VirtualService campus/pay applied on 10 of 11 proxies; campus/web rejected: no',
  ]);
});

test('a problem is told once, and its end when nothing else says so', () => {
  const see = createChanges();
  const before = problem({ message: 'known from the start', field: 'spec' });
  see(look([route(1)], [before]));
  assert.deepEqual(told(see(look([route(1)], [before, problem({})]))), []);
  assert.deepEqual(told(see(look([route(1)], [before, problem({})]))), [
    `fail traffic.yaml:9:22 WEFT-1004 ${problem({}).message}`,
  ]);
  assert.deepEqual(told(see(look([route(1)], [before, problem({})]))), []);
  see(look([route(1)], [before]));
  assert.deepEqual(told(see(look([route(1)], [before]))), [
    'ok traffic.yaml: VirtualService campus/pay has WEFT-1004 no more',
  ]);
  // One that was there for a moment only.
  see(look([route(1)], [before, problem({})]));
  const passed = see(look([route(1)], [before]));
  assert.deepEqual([told(passed), passed.settled], [[], true]);
});

test('an app that crashes on and on is told once', () => {
  const see = createChanges();
  const crash = (restarts: number): ProblemEntry =>
    problem({
      code: 'WEFT-1213',
      message: `pod campus/pay-x-0 does not stay up (exit code 1), restarted ${restarts} times`,
      fix: 'weft logs campus/pay-x-0',
    });
  const { location: _, ...bare } = crash(1);
  const ofPod: ProblemEntry = {
    ...bare,
    ref: { group: '', kind: 'Pod', namespace: 'campus', name: 'pay-x-0' },
  };
  const seen = [[], [crash(1), ofPod], [crash(2), ofPod], [], [], [crash(3), ofPod], [crash(3), ofPod], []];
  assert.deepEqual(
    seen.flatMap((problems) => told(see(look([route(1)], problems)))),
    [
      'fail traffic.yaml:9:22 WEFT-1213 VirtualService campus/pay: pod campus/pay-x-0 does not stay up (exit code 1), restarted 2 times: weft logs campus/pay-x-0',
    ],
  );
  // Its object has changed, and it crashes still.
  see(look([route(2)], [crash(4)]));
  assert.match(told(see(look([route(2)], [crash(4)]))).join(), /fail .*restarted 4 times/);
});
