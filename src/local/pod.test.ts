import assert from 'node:assert/strict';
import test from 'node:test';
import { farewell } from './pod.ts';

/** What happens, in order, when a pod in this state is told to end. */
async function steps(appPid: number, ending = false): Promise<readonly string[]> {
  const done: string[] = [];
  const step = (name: string) => async (): Promise<void> => void done.push(name);
  const end = new AbortController();
  if (ending) end.abort();
  const machine = {
    changed: step('changed'),
    published: step('published'),
    propagation: 0,
    ending: end.signal,
  };
  await farewell({ appPid, preStop: 0, machine, drain: step('drained') });
  return done;
}

test('an app that runs is drained, ready or not, after its end is published', async () => {
  assert.deepEqual(await steps(7), ['changed', 'published', 'drained']);
});

test('nobody waits for an app that does not run, or at the end of the mesh', async () => {
  assert.deepEqual(await steps(0), []);
  assert.deepEqual(await steps(7, true), []);
});
