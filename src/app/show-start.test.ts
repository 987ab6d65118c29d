import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { firstTraffic } from './show-start.ts';

test('what failed before all was ready is no part of the first success rate', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'weft-traffic-'));
  const asked: number[] = [];
  const agent = createServer((incoming, response) => {
    const seconds = Number.parseFloat(incoming.url?.split('window=')[1] ?? '');
    asked.push(seconds);
    // Ready for nine seconds: until then one request in ten failed.
    response.end(JSON.stringify([{ rps: 20, successRate: seconds > 9 ? 0.99 : 1, mtls: true }]));
  });
  await new Promise<void>((resolve) => agent.listen(join(directory, 'agent.sock'), resolve));
  try {
    const readyAt = performance.now() - 9_000;
    assert.deepEqual(await firstTraffic(directory, readyAt, new AbortController().signal), {
      edges: { mtls: 1, total: 1 },
      successRate: 1,
    });
    const narrow = asked.at(-1) ?? 0;
    assert.ok(narrow > 5 && narrow < 9, String(narrow));
  } finally {
    agent.close();
    await rm(directory, { recursive: true });
  }
});
