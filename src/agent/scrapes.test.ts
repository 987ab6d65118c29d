import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startScrapes } from './scrapes.ts';

test('scrapes that have ended ask nobody any more, not even a sidecar that keeps silent', async () => {
  const root = await mkdtemp(join(tmpdir(), 'weft-scrapes-'));
  const adminSocket = join(root, 'admin.sock');
  const silent = createServer().listen(adminSocket);
  try {
    await once(silent, 'listening');
    const end = new AbortController();
    const targets = () => [{ namespace: 'campus', pod: 'pay-0', adminSocket }];
    const asked = once(silent, 'connection');
    const scrapes = startScrapes({ targets, clock: Date.now }, end.signal);
    // Typed by the event's name.
    const [connection] = (await asked) as [Socket];
    const closed = once(connection.resume(), 'close');
    const merged = scrapes.exposition([]);
    end.abort();
    await scrapes[Symbol.asyncDispose]();
    assert.equal(await merged, '');
    await closed;
    assert.deepEqual(scrapes.edges(60), []);
  } finally {
    silent.close();
    await rm(root, { recursive: true });
  }
});
