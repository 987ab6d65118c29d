import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { readRunState, removeRunState, startTimeOf, writeRunState } from './run-state.ts';

test('a mesh is found while its first process lives, and only that process', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'weft-state-'));
  try {
    assert.equal(await readRunState(directory), undefined);
    const startTime = (await startTimeOf(process.pid)) ?? '';
    const own = { pid: process.pid, startTime, version: '1', directory };
    await writeRunState(directory, own);
    assert.deepEqual(await readRunState(directory), own);
    assert.equal((await stat(join(directory, 'run.json'))).mode & 0o777, 0o600);

    await removeRunState(directory, { ...own, pid: 1 });
    assert.deepEqual(await readRunState(directory), own);
    await writeRunState(directory, { ...own, startTime: '1' });
    assert.equal(await readRunState(directory), undefined);
    await writeFile(join(directory, 'run.json'), '{"pid": 1');
    assert.equal(await readRunState(directory), undefined);

    await writeRunState(directory, own);
    await removeRunState(directory, own);
    assert.deepEqual(await readdir(directory), []);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a process that is gone has no start time', async () => {
  assert.equal(await startTimeOf(2 ** 30), undefined);
});
