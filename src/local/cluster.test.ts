import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { createLogger } from '../base/log.ts';
import { sleep } from '../base/time.ts';
import { parseObjects } from '../sources/sources.ts';
import { createAddresses } from './addresses.ts';
import { type ClusterOptions, createCluster, createSteps } from './cluster.ts';
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

test('a set that cannot start keeps nothing else from being published', async () => {
  const root = await mkdtemp(join(tmpdir(), 'weft-cluster-'));
  const end = new AbortController();
  const lines: string[] = [];
  try {
    const directory = join(root, 'cluster');
    const log = createLogger((line) => lines.push(line), Date.now);
    // No pod gets as far as to need more of its machine.
    const machine = { clock: Date.now, ending: end.signal, log } as unknown as ClusterOptions['machine'];
    const addresses = createAddresses({ firstUid: 1, size: 0 });
    const cluster = await createCluster({ machine, addresses, directory, newUid: () => 'uid' });
    const { objects } = parseObjects(oneOfEach, 'web.yaml');
    cluster.apply([
      ...objects.map(({ object }) => ({ kind: 'applied', object }) as const),
      { kind: 'synced' },
    ]);
    for (let tries = 0; tries < 200 && !cluster.synced(); tries++) await sleep(5);
    for (let tries = 0; tries < 200 && (await readdir(directory)).length === 0; tries++) await sleep(5);
    assert.match((await readdir(directory)).join(), /^endpointslice_campus_web-\w+\.json$/);
    assert.match(lines.join(''), /No address is left/);
  } finally {
    end.abort();
    await rm(root, { recursive: true });
  }
});

const oneOfEach = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: campus}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: campus}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {weft.dev/run: sleep 1}}
    spec: {containers: [{name: app, image: none}]}
`;
