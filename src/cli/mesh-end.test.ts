import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { suite, test } from 'node:test';
import { exitCodes } from './cli.ts';
import { createWorld, type Outcome, type World } from './testing/world.ts';

const watching = ['logs web -f', 'edges -w'];

/** The mesh is a process that ends while a command watches it. */
async function watchToTheEnd(words: string, end: (world: World) => Promise<void>): Promise<Outcome> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log("up")']);
  try {
    await once(child.stdout, 'data');
    await using world = await createWorld({ pid: child.pid ?? 0 });
    const outcome = world.weft(words);
    setTimeout(() => void end(world).then(() => child.kill('SIGKILL')), 200);
    return await outcome;
  } finally {
    child.kill('SIGKILL');
  }
}

// Side by side: each waits for what only time brings.
suite('the end of what is watched', { concurrency: true }, () => {
  for (const words of watching) {
    test(`${words}: the end of the mesh in order is an end`, async () => {
      const { code, out, err } = await watchToTheEnd(words, (world) => world.end(true));
      assert.deepEqual([code, err], [exitCodes.ok, 'the mesh has ended\n']);
      assert.notEqual(out, '');
    });

    test(`${words}: a mesh that is lost is one line, and no stack`, async () => {
      const { code, err } = await watchToTheEnd(words, (world) => world.end(false));
      assert.deepEqual([code, err], [exitCodes.unreachable, 'the mesh has ended, and not in order\n']);
    });

    test(`${words}: Ctrl-C ends it without a word`, async () => {
      await using world = await createWorld();
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 200);
      const { code, out, err } = await world.weft(words, { signal: controller.signal });
      assert.deepEqual([code, err], [exitCodes.interrupted, '']);
      assert.notEqual(out, '');
    });
  }
});
