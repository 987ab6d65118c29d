import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Scan, SeenFile } from './directory-scan.ts';
import { type FileForm, readObjects, unreadFile } from './object-file.ts';
import { doubtTime, formsOf, goneTime, nothingSettled, quietTime, type Settled, settle } from './settle.ts';

const service = (name: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{port: 80}]}\n`;

type Disk = Readonly<Record<string, { readonly text: string; readonly inode?: string; readonly at: number }>>;

/** A file of the made-up disk that cannot be read just now. */
const broken = 'broken';
const failure = (file: string): FileForm => ({
  ...unreadFile(file, { says: 'cannot be read (EIO)', fix: 'mend it' }),
  again: true,
});

/** Looks at a made-up disk at a made-up time. A file's stamp is its inode and time, as coarse as the test likes. */
function looking(): (disk: Disk, now: number, refused?: Scan['refused']) => Promise<Settled> {
  let settled = nothingSettled;
  return async (disk, now, refused = []) => {
    const files = new Map(
      Object.entries(disk).map(([file, { inode = file, at }]): [string, SeenFile] => [
        file,
        { file, inode, stamp: `${inode} ${at}`, changed: at, size: 1 },
      ]),
    );
    const scan: Scan = { files, refused, folders: new Map() };
    const read = async ({ file }: SeenFile): Promise<FileForm> => {
      const text = disk[file]?.text ?? '';
      return text === broken ? failure(file) : readObjects(text, file);
    };
    settled = await settle(settled, scan, { now, read });
    return settled;
  };
}

const namesIn = (settled: Settled): string =>
  [...formsOf(settled).values()].flatMap(({ objects }) => objects.map(({ ref }) => ref.name)).join(' ');

it('a second change under the same coarse time stamp is seen', async () => {
  const look = looking();
  assert.equal(namesIn(await look({ a: { text: service('x'), at: 1000 } }, 1001)), 'x');
  const settled = await look({ a: { text: `${service('x')}---\n${service('y')}`, at: 1000 } }, 1002);
  assert.equal(namesIn(settled), 'x');
  assert.equal(doubtTime(settled, 1002), 48);
  const later = await look({ a: { text: `${service('x')}---\n${service('y')}`, at: 1000 } }, 1050);
  assert.equal(namesIn(later), 'x y');
  assert.equal(doubtTime(later, 1050), undefined);
});

it('a file cut off in place is believed when it has been quiet', async () => {
  const look = looking();
  await look({ a: { text: `${service('x')}---\n${service('y')}`, at: 0 } }, 1000);
  const cut = { a: { text: service('x'), at: 2000 } };
  const doubted = await look(cut, 2000);
  assert.equal(namesIn(doubted), 'x y');
  assert.equal(namesIn(await look(cut, 2000 + quietTime - 1)), 'x y');
  assert.equal(namesIn(await look(cut, 2000 + quietTime)), 'x');
});

it('another file in its place is believed at once', async () => {
  const look = looking();
  await look({ a: { text: `${service('x')}---\n${service('y')}`, at: 0 } }, 1000);
  assert.equal(namesIn(await look({ a: { text: service('x'), inode: 'new', at: 2000 } }, 2000)), 'x');
});

it('a missing file is gone only when it stays away', async () => {
  const look = looking();
  const there = { a: { text: service('x'), at: 0 } };
  await look(there, 1000);
  const missing = await look({}, 2000);
  assert.deepEqual([...formsOf(missing).keys()], ['a']);
  assert.equal(doubtTime(missing, 2000), goneTime);
  assert.equal(namesIn(await look(there, 2001)), 'x');
  await look({}, 3000);
  assert.deepEqual([...formsOf(await look({}, 3000 + goneTime)).keys()], []);
});

it('a new file that does not parse is given time, and one that was there at the start is not', async () => {
  const look = looking();
  const started = await look({ a: { text: 'a: [\n', at: 0 } }, 1000);
  assert.equal(formsOf(started).get('a')?.problems.length, 1);
  const disk = { a: { text: 'a: [\n', at: 0 }, b: { text: 'b: [\n', at: 2000 } };
  assert.equal(formsOf(await look(disk, 2000)).has('b'), false);
  assert.equal(formsOf(await look(disk, 2000 + quietTime)).get('b')?.problems.length, 1);
});

it('a file below a place that cannot be looked at stays as it was, however long, and needs no look', async () => {
  const look = looking();
  const disk = { 'sub/deep/a': { text: service('x'), at: 1000 }, 'subway/b': { text: service('y'), at: 0 } };
  await look(disk, 1001);
  const unlisted = [unreadFile('sub', { says: 'cannot be listed', fix: 'mend it' })];
  await look({}, 2000, unlisted);
  const settled = await look({}, 2000 + 100 * goneTime, unlisted);
  assert.equal(namesIn(settled), 'x');
  assert.equal(doubtTime(settled, 2000 + 100 * goneTime), undefined);
  assert.deepEqual([...formsOf(settled).keys()], ['sub/deep/a', 'sub']);
  await look({}, 20_000);
  assert.equal(namesIn(await look({}, 20_000 + goneTime)), '');
});

it('a file beyond what is looked at counts as there only when it was there before', async () => {
  const look = looking();
  const disk = { '/d/a': { text: service('x'), at: 0 }, '/d/b': { text: service('y'), at: 0 } };
  await look(disk, 1000);
  const full = [unreadFile('/d', { says: 'holds too much', fix: 'move some' })];
  const part = { '/d/c': { text: service('z'), at: 0 }, '/d/a': disk['/d/a'] };
  await look(part, 2000, full);
  assert.equal(namesIn(await look(part, 2000 + 100 * goneTime, full)), 'z x y');
});

it('a file that cannot be read is read again, though it stays the same', async () => {
  const look = looking();
  await look({ a: { text: service('x'), at: 0 } }, 1000);
  const failing = { a: { text: broken, at: 2000 } };
  for (let now = 2100; now <= 4000; now += 100) await look(failing, now);
  const settled = await look(failing, 4000);
  assert.equal(formsOf(settled).get('a')?.problems[0]?.code, 'WEFT-1007');
  assert.equal(doubtTime(settled, 4000), undefined);
  assert.equal(namesIn(await look({ a: { text: service('x'), at: 2000 } }, 4100)), 'x');
});
