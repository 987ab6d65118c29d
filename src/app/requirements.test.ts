import assert from 'node:assert/strict';
import test from 'node:test';
import { findMissing, type Host } from './requirements.ts';
import { toolPath } from './tool-path.ts';

const complete: Host = {
  platform: 'linux',
  uid: 1000,
  user: 'ada',
  path: '/usr/bin',
  read: async (path) => (path.startsWith('/etc/sub') ? 'eve:1:5\nada:100000:65536\n' : undefined),
  isExecutable: async () => true,
};

test('a complete machine lacks nothing, with root or without', async () => {
  assert.deepEqual(await findMissing(complete), []);
  assert.deepEqual(await findMissing({ ...complete, uid: 0, user: 'root' }), []);
});

test('says which package to install', async () => {
  const isExecutable = async (path: string): Promise<boolean> => !path.endsWith('/nft');
  assert.deepEqual(await findMissing({ ...complete, isExecutable }), [
    { what: 'the program nft', fix: 'apt-get install nftables' },
  ]);
});

test('looks where the mesh itself will look, and nowhere else', async () => {
  const isExecutable = async (path: string): Promise<boolean> =>
    path.startsWith(/\/(?:ip|nft)$/.test(path) ? '/usr/sbin/' : '/usr/bin/');
  const path = '/usr/bin:/bin';
  assert.equal((await findMissing({ ...complete, path, isExecutable })).length, 2);
  assert.deepEqual(await findMissing({ ...complete, path: toolPath(path), isExecutable }), []);
});

test('without root, names the setting that stands in the way', async () => {
  const read = async (path: string): Promise<string | undefined> => {
    if (path === '/proc/sys/kernel/apparmor_restrict_unprivileged_userns') return '1\n';
    return path === '/etc/subuid' ? 'ada:100000:1000\n' : complete.read(path);
  };
  const isExecutable = async (path: string): Promise<boolean> => !path.includes('newgidmap');
  const missing = await findMissing({ ...complete, read, isExecutable });
  assert.deepEqual(
    missing.map(({ fix }) => fix),
    [
      'apt-get install uidmap',
      'sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0',
      'sudo usermod --add-subuids 100000-165535 ada',
    ],
  );
  assert.deepEqual(await findMissing({ ...complete, uid: 0, read, isExecutable }), []);
});
