import assert from 'node:assert/strict';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { drain } from './drain.ts';

const never = new AbortController().signal;
const live = 'server.live: 1\n';
const active = (requests: number): string => `http.inbound.downstream_rq_active: ${requests}\n${live}`;

/** What an admin socket says, one answer after the other and the last one for ever; `undefined` is silence. */
type Answer = { readonly status?: number; readonly body: string } | undefined;

async function drained(answers: readonly Answer[], limit: number): Promise<{ idle: boolean; asked: number }> {
  const root = await mkdtemp(join(tmpdir(), 'weft-drain-'));
  const adminSocket = join(root, 'admin.sock');
  let asked = 0;
  const server = createServer((_, response) => {
    const answer = answers[Math.min(asked++, answers.length - 1)];
    if (answer) response.writeHead(answer.status ?? 200).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(adminSocket, resolve));
  try {
    return { idle: await drain({ adminSocket, clock: Date.now, limit }, never), asked };
  } finally {
    await close(server);
    await rm(root, { recursive: true });
  }
}

async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

test('a pod is idle when its sidecar says twice that nothing is under way', async () => {
  assert.deepEqual(
    await drained(
      [1, 0, 2, 0, 0].map((requests) => ({ body: active(requests) })),
      20_000,
    ),
    {
      idle: true,
      asked: 5,
    },
  );
});

test('a sidecar that never had a listener for requests has none under way', async () => {
  assert.equal((await drained([{ body: live }], 20_000)).idle, true);
});

test('a sidecar that is gone has none under way', async () => {
  const root = await mkdtemp(join(tmpdir(), 'weft-drain-'));
  const options = { clock: Date.now, limit: 20_000 };
  try {
    assert.equal(await drain({ ...options, adminSocket: join(root, 'never.sock') }, never), true);
    const [bound, adminSocket] = [join(root, 'bound.sock'), join(root, 'left.sock')];
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(bound, resolve));
    // Node takes its socket away with it; an Envoy that is killed does not.
    await rename(bound, adminSocket);
    await close(server);
    assert.equal(await drain({ ...options, adminSocket }, never), true);
  } finally {
    await rm(root, { recursive: true });
  }
});

test('what says nothing of requests is no idle sidecar', async () => {
  const refusals: readonly Answer[] = [
    { status: 503, body: active(0) },
    { body: '' },
    { body: 'http.inbound.downstream_rq_active: \nserver.live: 1\n' },
    undefined,
  ];
  for (const answer of refusals) {
    assert.equal((await drained([answer], 600)).idle, false, JSON.stringify(answer));
  }
});
