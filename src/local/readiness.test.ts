import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import test from 'node:test';
import { listeningPorts, parseListening } from './readiness.ts';

test('only listening sockets count', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid',
    '   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 10002',
    '   1: 0100007F:0050 0100007F:C350 01 00000000:00000000 00:00000000 00000000 10002',
    '   2: 00000000000000000000000000000000:2328 00000000000000000000000000000000:0000 0A 00000000',
    '',
  ].join('\n');
  assert.deepEqual(parseListening(table), [8080, 9000]);
});

test('sees what this process listens on, and no longer when it has closed', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  assert.ok((await listeningPorts(process.pid)).has(address.port));
  await new Promise<void>((resolve) => server.close(() => resolve()));
  assert.ok(!(await listeningPorts(process.pid)).has(address.port));
});

test('a process that is gone listens on nothing', async () => {
  assert.equal((await listeningPorts(2 ** 30)).size, 0);
});
