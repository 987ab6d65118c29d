import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
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

test('the only mesh that runs is found from anywhere, and named when it is not below', async () => {
  await using world = await createWorld();
  const below = await world.weft('status -o name', { cwd: '/' });
  assert.deepEqual([below.out, below.err], ['<DIR>\n', '']);
  await using elsewhere = await emptyDirectory();
  const found = await world.weft('status -o name', { cwd: elsewhere.path });
  assert.deepEqual([found.out, found.err], ['<DIR>\n', 'mesh in <DIR>, the only one that runs\n']);
  const env = { WEFT_DIR: world.directory };
  const named = await world.weft('status -o name', { cwd: elsewhere.path, env });
  assert.equal(named.err, 'mesh in <DIR>, by WEFT_DIR\n');
});

test('what changes a mesh wants it named: by option, environment or place', async () => {
  await using world = await createWorld();
  await using elsewhere = await emptyDirectory();
  const changing = ['apply -f -', 'delete svc pay --dry-run', 'down', 'demo story canary --break'];
  const stdin = 'apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n';
  for (const words of changing) {
    const { code, out, err } = await world.weft(words, { cwd: elsewhere.path, stdin });
    assert.deepEqual([code, out], [exitCodes.unreachable, ''], words);
    assert.ok(err.includes('because the only one on this machine is in <DIR>'), err);
    assert.ok(err.endsWith(`  next: weft ${words} --dir <DIR>\n`), err);
  }
  const story = 'demo story canary --break';
  assert.equal((await world.weft(`${story} --dir ${world.directory}`, { cwd: elsewhere.path })).code, 0);
  const env = { WEFT_DIR: world.directory };
  assert.equal((await world.weft(story, { cwd: elsewhere.path, env })).code, 0);
  assert.equal((await world.weft(story)).code, 0);
});

test('a mesh directly below is found, unless there are two', async () => {
  await using world = await createWorld({ stopped: true });
  const state = { pid: process.pid, startTime: await processStartTime(process.pid), version: '0' };
  const runIn = async (name: string): Promise<void> => {
    const directory = join(world.directory, name);
    await mkdir(join(directory, '.weft'), { recursive: true });
    await writeFile(join(directory, '.weft/run.json'), JSON.stringify({ ...state, directory }));
  };
  const none = await world.weft('edges');
  assert.match(
    none.err,
    /no \.weft\/run\.json in <DIR>, above it or directly below\n {2}start it with: weft up\n$/,
  );
  await runIn('deep/one');
  assert.equal((await world.weft('status -o name')).code, exitCodes.unreachable);
  await runIn('a b');
  const found = await world.weft('status -o name');
  assert.deepEqual([found.out, found.err], ['<DIR>/a b\n', '']);
  assert.equal((await world.weft('demo story canary --break')).code, 0);
  await runIn('two');
  const both = await world.weft('demo story canary --break', { env: { WEFT_SELF: './weft' } });
  assert.equal(both.code, exitCodes.unreachable);
  assert.match(
    both.err,
    /several run directly below: a b, two\n {2}next: \.\/weft demo story canary --break --dir 'a b'\n$/,
  );
});

async function emptyDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'weft-empty-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

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
    assert.match(err, /next: weft status --dir \.\n/);
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
