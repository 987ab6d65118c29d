import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import test from 'node:test';
import { forwardPort, type PortWish } from './host-ports.ts';

async function takenPort(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { port: address.port, server };
}

const wish = { name: 'the shop', option: '--shop-port' };
const open = async (more: Pick<PortWish, 'preferred' | 'asked'>) =>
  await forwardPort({ ...wish, ...more }, () => undefined);

test('a port that was asked for is had or refused; one that was not moves on', async () => {
  const { port, server } = await takenPort();
  try {
    await assert.rejects(open({ preferred: port, asked: port }), {
      message: `port ${port} of this machine cannot be had for the shop: it is taken`,
      fixes: ['choose another with --shop-port'],
    });
    const moved = await open({ preferred: port });
    moved.close();
    assert.ok(moved.port > port);
    const any = await open({ preferred: port, asked: 0 });
    any.close();
    assert.notEqual(any.port, 0);
  } finally {
    server.close();
  }
});
