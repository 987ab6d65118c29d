import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { createSteps } from './cluster.ts';
import { createSlots } from './machine.ts';
import { createPublisher } from './publish.ts';

test('steps never overlap, and a call during one gets the next', async () => {
  let running = 0;
  let steps = 0;
  const wake = createSteps(async () => {
    assert.equal(++running, 1);
    steps++;
    await new Promise((resolve) => setImmediate(resolve));
    running--;
  });
  const first = wake();
  assert.equal(wake(), first);
  await first;
  assert.equal(steps, 1);
  const second = wake();
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  const third = wake();
  assert.notEqual(third, second);
  await Promise.all([second, third]);
  assert.equal(steps, 3);
});

test('so many at once, and a place is given back once', async () => {
  const slots = createSlots(1);
  const release = await slots.take();
  let taken = false;
  const second = slots.take().then((give) => {
    taken = true;
    return give;
  });
  await Promise.resolve();
  assert.equal(taken, false);
  release();
  release();
  const releaseSecond = await second;
  let thirdTaken = false;
  const third = slots.take().then(() => {
    thirdTaken = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(thirdTaken, false);
  releaseSecond();
  await third;
});

test('a directory follows what is published, in order', async () => {
  const root = await mkdtemp(join(tmpdir(), 'weft-publish-'));
  try {
    const directory = join(root, 'cluster');
    const { publish } = await createPublisher(directory, join(root, 'new'));
    const first = publish(
      new Map([
        ['a.json', { n: 1 }],
        ['b.json', { n: 1 }],
      ]),
    );
    await Promise.all([first, publish(new Map([['a.json', { n: 2 }]]))]);
    assert.deepEqual(await readdir(directory), ['a.json']);
    assert.deepEqual(JSON.parse(await readFile(join(directory, 'a.json'), 'utf8')), { n: 2 });
    assert.deepEqual(await readdir(join(root, 'new')), []);
  } finally {
    await rm(root, { recursive: true });
  }
});
