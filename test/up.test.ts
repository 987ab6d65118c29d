/** Starting: two meshes at once, as an ordinary user, and on a machine that lacks something. */
import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { findEnvoy } from './support/envoy.ts';
import { backend, type Count, caller, namespace, service } from './support/lab.ts';
import {
  bundle,
  eventually,
  exec,
  freePort,
  type Mesh,
  programEnv,
  type Ran,
  startMesh,
} from './support/mesh.ts';
import { namespacesMissing } from './support/namespace.ts';

const options = { skip: namespacesMissing() };

function filesOf(says: string): Readonly<Record<string, string>> {
  return {
    'namespace.yaml': namespace,
    'backend.yaml': service('backend', 'backend') + backend({ version: 'v1', replicas: 1, says }),
    'caller.yaml': caller(20),
    target: 'http://backend/',
  };
}

/** A hundred calls inside went where they should, and nowhere else. */
async function works(mesh: Mesh, says: string): Promise<void> {
  const { answers } = await eventually('a hundred answers', async () => {
    const line = (await mesh.logs('caller')).findLast((text) => text.startsWith('{"target"'));
    const now: Count | undefined = line === undefined ? undefined : JSON.parse(line);
    return now !== undefined && now.ok >= 100 ? now : undefined;
  });
  assert.deepEqual(Object.keys(answers), [says]);
  const edges = await eventually('an edge is seen', async () => {
    const seen = await mesh.json<readonly { source: string; mtls: boolean }[]>('edges');
    return seen.some(({ source }) => source === 'lab/caller') ? seen : undefined;
  });
  assert.ok(edges.every(({ mtls }) => mtls));
}

async function measured(t: TestContext, name: string, start: Promise<Mesh>): Promise<Mesh> {
  const startedAt = performance.now();
  const mesh = await start;
  t.diagnostic(`${name} is ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  return mesh;
}

test('two meshes at once have nothing in common', options, async (t) => {
  await using first = await measured(t, 'the first', startMesh({ files: filesOf('one') }));
  await using second = await measured(t, 'the second', startMesh({ files: filesOf('two') }));
  await works(first, 'one');
  await works(second, 'two');
  assert.equal((await first.pod('backend-v1')).ip, (await second.pod('backend-v1')).ip, 'the same addresses');
  assert.notEqual(first.metricsUrl, second.metricsUrl);
  const { code, stderr } = await first.weft('up');
  assert.equal(code, 1);
  assert.match(stderr, /a mesh runs from .* already/);
});

const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];

/** Of its own: who has how many subordinate users. */
async function withSubordinates(
  line: string,
): Promise<{ readonly file: string; readonly words: readonly string[] }> {
  const file = join(await mkdtemp(join(tmpdir(), 'weft-subids-')), 'subids');
  await writeFile(file, line, { mode: 0o644 });
  const script = `mount --bind ${file} /etc/subuid && mount --bind ${file} /etc/subgid && exec "$@"`;
  return { file, words: ['unshare', '--mount', 'sh', '-c', script, 'sh', ...nobody] };
}

/** `weft up` that does not come up. */
async function fails(below: (directory: string) => readonly string[]): Promise<Ran> {
  const directory = await mkdtemp(join(tmpdir(), 'weft-up-'));
  await mkdir(join(directory, '.weft'));
  await writeFile(join(directory, 'namespace.yaml'), namespace);
  await exec(['chown', '-R', '65534:65534', directory]);
  const up = [process.execPath, bundle, 'up', '--dir', directory, '--metrics-port', String(await freePort())];
  const ran = await exec([...below(directory), ...up], { env: { ...programEnv(), HOME: directory } });
  await rm(directory, { recursive: true });
  return ran;
}

test('an ordinary user has a mesh too', options, async (t) => {
  if ((await exec(['sh', '-c', 'command -v newuidmap'])).code !== 0) return t.skip('needs newuidmap');
  const { file, words } = await withSubordinates('nobody:100000:65536\n');
  // Ours may lie in a home directory that others cannot enter.
  const envoy = join(dirname(file), 'envoy');
  await copyFile(findEnvoy(), envoy);
  await chmod(dirname(file), 0o755);
  await using mesh = await measured(
    t,
    'it',
    startMesh({
      files: filesOf('rootless'),
      flags: ['--envoy', envoy],
      below: (directory) => ['sh', '-c', `chown -R 65534:65534 ${directory} && exec "$@"`, 'sh', ...words],
    }),
  );
  await works(mesh, 'rootless');
  await rm(dirname(file), { recursive: true });
});

test('an ordinary user without subordinate users is told what is missing', options, async () => {
  const { words } = await withSubordinates('someone:100000:65536\n');
  const { code, stderr } = await fails(() => words);
  assert.equal(code, 1);
  assert.match(stderr, /65536 subordinate ids for nobody in \/etc\/subuid \(0 there\)/);
  assert.match(stderr, /fix: sudo usermod --add-subuids 100000-165535 nobody/);
});

test('a full disk is told as one, with no stack', options, async () => {
  for (const size of ['4k', '8k', '12k']) {
    const { code, stderr } = await fails((directory) => {
      const script = `mount -t tmpfs -o size=${size},mode=700 weft ${directory}/.weft && exec "$@"`;
      return ['unshare', '--mount', 'sh', '-c', script, 'sh'];
    });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /cannot be written.*ENOSPC/, size);
    assert.match(stderr, /fix[:=]/);
    assert.doesNotMatch(stderr, /\n +at /);
  }
});
