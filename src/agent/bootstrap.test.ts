import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findEnvoy } from '../../test/support/envoy.ts';
import { workloadKey } from '../model/names.ts';
import { bootstrap } from './bootstrap.ts';

const long = workloadKey('n'.repeat(63), 'p'.repeat(63));

test('is small', () => {
  const text = bootstrap({ workload: workloadKey('campus', 'pay-5d9c7b6f4-abcde'), cluster: 'pay' });
  assert.ok(Buffer.byteLength(text) < 2048, `${Buffer.byteLength(text)} bytes`);
});

test('Envoy takes it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'weft-bootstrap-'));
  try {
    const file = join(directory, 'bootstrap.json');
    writeFileSync(file, bootstrap({ workload: long, cluster: 'pay', directory }));
    const said = execFileSync(findEnvoy(), ['--mode', 'validate', '-c', file], {
      encoding: 'utf8',
      stdio: 'pipe',
      timeout: 20_000,
    });
    assert.match(said, /OK/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
