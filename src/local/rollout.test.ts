import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { PodSet } from './pod-set.ts';
import { planRollout, type StandingPod } from './rollout.ts';

const template: PodSet['template'] = {
  labels: {},
  annotations: {},
  serviceAccount: 'default',
  command: 'true',
  env: [],
  ports: [],
  meshed: false,
  gracePeriod: 0,
  preStop: 0,
};

function set(replicas: number, hash: string, kind = 'Deployment'): PodSet {
  const owner = { group: 'apps', kind, namespace: 'campus', name: 'web' };
  return { owner, key: 'web', namespace: 'campus', workload: 'web', replicas, template, hash };
}

const pod = (name: string, fields: Partial<StandingPod> = {}): StandingPod => ({
  name,
  hash: name.split('-')[1] ?? '',
  ready: true,
  stopping: false,
  ...fields,
});

test('a new template starts one pod before any old one goes', () => {
  const old = [pod('web-a-0'), pod('web-a-1')];
  assert.deepEqual(planRollout(set(2, 'b'), old), { start: ['web-b-0'], stop: [] });
  const starting = [...old, pod('web-b-0', { ready: false })];
  assert.deepEqual(planRollout(set(2, 'b'), starting), { start: [], stop: [] });
  const ready = [...old, pod('web-b-0')];
  assert.deepEqual(planRollout(set(2, 'b'), ready), { start: ['web-b-1'], stop: ['web-a-0'] });
});

test('what never answered goes first', () => {
  const standing = [pod('web-a-0', { ready: false }), pod('web-b-0', { ready: false })];
  assert.deepEqual(planRollout(set(1, 'b'), standing), { start: [], stop: ['web-a-0'] });
});

test('a name is free again only when its pod is gone', () => {
  const standing = [pod('web-a-0', { stopping: true, ready: false })];
  assert.deepEqual(planRollout(set(1, 'a'), standing), { start: [], stop: [] });
});

test('a bare Pod is replaced after its end', () => {
  assert.deepEqual(planRollout(set(1, 'b', 'Pod'), [pod('web', { hash: 'a' })]), {
    start: [],
    stop: ['web'],
  });
  assert.deepEqual(planRollout(set(1, 'b', 'Pod'), []), { start: ['web'], stop: [] });
});

/** Plays the runtime: pods become ready and go away in any order; the wish may change at any time. */
test('any order of happenings ends with the wanted pods, and never fewer ready ones than promised', () => {
  const happening = fc.record({ pick: fc.nat(20), crash: fc.integer({ min: 0, max: 9 }) });
  const wish = fc.record({ replicas: fc.nat(4), hash: fc.constantFrom('a', 'b', 'c') });
  fc.assert(
    fc.property(fc.array(wish, { minLength: 1, maxLength: 4 }), fc.array(happening), (wishes, happenings) => {
      let pods: StandingPod[] = [];
      const act = ({ replicas, hash }: { replicas: number; hash: string }): void => {
        const before = pods.filter(({ ready, stopping }) => ready && !stopping).length;
        const staying = pods.filter(({ stopping }) => !stopping).length;
        const { start, stop } = planRollout(set(replicas, hash), pods);
        pods = pods.map((p) => (stop.includes(p.name) ? { ...p, stopping: true } : p));
        pods.push(...start.map((name) => pod(name, { ready: false })));
        const after = pods.filter(({ ready, stopping }) => ready && !stopping).length;
        assert.ok(after >= Math.min(before, replicas), `${after} of ${replicas} ready`);
        assert.ok(pods.filter(({ stopping }) => !stopping).length <= Math.max(replicas + 1, staying));
        assert.equal(new Set(pods.map(({ name }) => name)).size, pods.length);
      };
      for (const next of wishes) {
        for (const { pick, crash } of happenings) {
          act(next);
          const chosen = pods[pick % Math.max(1, pods.length)];
          if (chosen === undefined) continue;
          if (chosen.stopping) pods = pods.filter((p) => p !== chosen);
          else pods = pods.map((p) => (p === chosen ? { ...p, ready: crash > 0 } : p));
        }
      }
      const last = wishes.at(-1) ?? { replicas: 0, hash: 'a' };
      // Left alone, what starts becomes ready and what stops goes.
      for (let round = 0; round < 40; round++) {
        act(last);
        pods = pods.filter(({ stopping }) => !stopping).map((p) => ({ ...p, ready: true }));
      }
      const names = pods.map(({ name }) => name).sort();
      assert.deepEqual(
        names,
        Array.from({ length: last.replicas }, (_, n) => `web-${last.hash}-${n}`),
      );
    }),
  );
});
