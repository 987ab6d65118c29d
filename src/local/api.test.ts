import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { serveRuntime } from './api.ts';

/** The window of a runtime that has no pods, and whose DNS server fails. */
async function serve(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'weft-runtime-'));
  const path = join(directory, 'runtime.sock');
  const server = await serveRuntime({
    path,
    cluster: { pods: () => [], synced: () => true, problems: () => [] },
    lookUp: () => Promise.reject(new Error('no server')),
  });
  t.after(async () => {
    await server[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });
  return (url: string): Promise<[number | undefined, unknown]> =>
    new Promise((resolve, reject) => {
      const asked = get({ socketPath: path, path: url, agent: false }, (response) => {
        text(response).then((body) => resolve([response.statusCode, JSON.parse(body)]), reject);
      });
      asked.on('error', reject);
    });
}

test('what cannot be answered is told to who asked, and the next one is answered', async (t) => {
  const ask = await serve(t);
  assert.deepEqual(await ask('//'), [404, { error: '// is not served here' }]);
  assert.deepEqual(await ask('/v1/nothing'), [404, { error: '/v1/nothing is not served here' }]);
  assert.deepEqual(await ask('/v1/dns?name=pay'), [500, { error: 'no server' }]);
  assert.deepEqual(await ask('/v1/workloads'), [200, { synced: true, workloads: [] }]);
});
