import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { exitCodes } from './cli.ts';
import { processStartTime } from './target.ts';
import { createWorld } from './testing/world.ts';

test('the mesh is found from below, by WEFT_DIR, by --dir', async () => {
  await using world = await createWorld();
  const below = join(world.directory, 'a/b');
  await mkdir(below, { recursive: true });
  assert.equal((await world.weft('status -o name', { cwd: below })).out, '<DIR>\n');
  const env = { WEFT_DIR: world.directory };
  assert.equal((await world.weft('status -o name', { cwd: '/', env })).out, '<DIR>\n');
  assert.equal((await world.weft(`status -o name --dir ${world.directory}`, { cwd: '/' })).out, '<DIR>\n');
  // Named wrongly is not found, even when there is one elsewhere.
  assert.equal((await world.weft('status --dir a', { cwd: world.directory })).code, exitCodes.unreachable);
});

test('the only mesh that runs is found from anywhere', async () => {
  await using world = await createWorld();
  assert.equal((await world.weft('status -o name', { cwd: '/' })).out, '<DIR>\n');
});

test('a run.json of another life is recognised, and does not hide a mesh farther up', async () => {
  await using world = await createWorld();
  const child = join(world.directory, 'child');
  await mkdir(join(child, '.weft'), { recursive: true });
  const stale = async (state: object): Promise<void> =>
    writeFile(join(child, '.weft/run.json'), JSON.stringify({ directory: child, version: '0', ...state }));
  for (const state of [
    { pid: process.pid, startTime: '1' },
    { pid: 4_194_303, startTime: '1' },
    { pid: 'x' },
  ]) {
    await stale(state);
    const { code, err } = await world.weft('status --dir child');
    assert.equal(code, exitCodes.unreachable);
    assert.match(err, /left from a mesh that ended|is damaged/);
    assert.match(err, /start it with: weft up/);
    assert.equal((await world.weft('status -o name', { cwd: child })).out, '<DIR>\n');
  }
  await writeFile(join(child, '.weft/run.json'), '{"pid": 1');
  assert.match((await world.weft('status --dir child')).err, /is damaged/);
});

test('down ends the process that run.json names, and is content when there is none', async () => {
  await using world = await createWorld({ stopped: true });
  assert.equal((await world.weft('down')).code, 0);
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log("up")']);
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  const pid = child.pid ?? 0;
  const startTime = await processStartTime(pid);
  const state = { pid, startTime, version: '0', directory: world.directory };
  await writeFile(join(world.directory, '.weft/run.json'), JSON.stringify(state));
  const { code, out } = await world.weft('down');
  assert.deepEqual([code, out], [0, '√ ended the mesh in <DIR>\n']);
  assert.equal((await ended)[1], 'SIGTERM');
  assert.ok(
    await readFile(join(world.directory, '.weft/run.json'), 'utf8'),
    'the file is its writer’s to remove',
  );
});

test('down gives up after its time, and says how to end it all the same', async () => {
  await using world = await createWorld({ stopped: true });
  const script = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up")';
  const child = spawn(process.execPath, ['-e', script]);
  try {
    await once(child.stdout, 'data');
    const pid = child.pid ?? 0;
    const state = { pid, startTime: await processStartTime(pid), version: '0', directory: world.directory };
    await writeFile(join(world.directory, '.weft/run.json'), JSON.stringify(state));
    const { code, err } = await world.weft('down --timeout 200ms');
    assert.equal(code, exitCodes.timeout);
    assert.match(err, new RegExp(`kill -KILL ${pid}`));
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});
