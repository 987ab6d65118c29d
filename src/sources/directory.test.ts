import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { silentLogger } from '../base/log.ts';
import { sleep } from '../base/time.ts';
import { scanDirectory } from './directory-scan.ts';
import { goneTime } from './settle.ts';
import { directorySource } from './sources.ts';
import type { KubeObject, LocatedProblem, SourceEvent } from './types.ts';

const service = (name: string, port = 80): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{port: ${port}}]}\n`;

/** A directory of its own, a source that follows it, and what the source has said so far. */
type Watched = AsyncDisposable & {
  readonly path: (name: string) => string;
  readonly write: (name: string, text: string | Uint8Array) => void;
  readonly state: State;
  readonly locate: ReturnType<typeof directorySource>['locate'];
  /** Waits until the state is as wanted; fails when it never comes. */
  readonly until: (what: string, wanted: (state: State) => boolean) => Promise<void>;
};
type State = {
  readonly objects: Map<string, KubeObject>;
  problems: readonly LocatedProblem[];
  readonly events: SourceEvent[];
  synced: number;
};

async function watched(files: Readonly<Record<string, string>> = {}): Promise<Watched> {
  const directory = mkdtempSync(join(tmpdir(), 'weft-sources-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const abort = new AbortController();
  const source = directorySource({ directory, serviceCidr: '10.96.0.0/16', log: silentLogger });
  const state: State = { objects: new Map(), problems: [], events: [], synced: 0 };
  const following = (async () => {
    for await (const batch of source.events(abort.signal)) for (const event of batch) take(state, event);
  })();
  const until = async (what: string, wanted: (state: State) => boolean): Promise<void> => {
    for (let turn = 0; turn < 1000; turn++) {
      if (wanted(state)) return;
      await sleep(10);
    }
    assert.fail(`never: ${what}; problems: ${messages(state).join('; ')}`);
  };
  await until('synced', ({ synced }) => synced > 0);
  return {
    path: (name) => join(directory, name),
    write: (name, text) => writeFileSync(join(directory, name), text),
    state,
    locate: source.locate,
    until,
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await following;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function take(state: State, event: SourceEvent): void {
  state.events.push(event);
  switch (event.kind) {
    case 'applied':
      state.objects.set(event.object.metadata.name, event.object);
      break;
    case 'deleted':
      state.objects.delete(event.ref.name);
      break;
    case 'problems':
      state.problems = event.problems;
      break;
    case 'synced':
      state.synced++;
      break;
    default:
      event satisfies never;
  }
}

/** Takes permissions away until the end of the block; `root` does not feel that, so it is somebody else meanwhile. */
function locked(path: string, mode: number): Disposable {
  const root = process.geteuid?.() === 0;
  const before = statSync(path).mode;
  for (let above = dirname(path); root && above.startsWith(join(tmpdir(), 'weft-')); above = dirname(above)) {
    chmodSync(above, 0o755);
  }
  chmodSync(path, mode);
  if (root) process.seteuid?.(65534);
  return {
    [Symbol.dispose]: () => {
      if (root) process.seteuid?.(0);
      chmodSync(path, before);
    },
  };
}

const names = ({ objects }: State): string => [...objects.keys()].sort().join(' ');
const messages = ({ problems }: State): readonly string[] => problems.map(({ message }) => message);
const portOf = (object: KubeObject | undefined): unknown =>
  (object?.spec as { readonly ports: readonly { readonly port: number }[] } | undefined)?.ports[0]?.port;
const gone = ({ events }: State): number => events.filter(({ kind }) => kind === 'deleted').length;

describe('a directory', () => {
  it('says what is there at the start, as one moment, and then that this is all', async () => {
    await using dir = await watched({ 'a.yaml': service('a'), 'b.yml': service('b'), 'c.txt': service('c') });
    assert.equal(names(dir.state), 'a b');
    assert.deepEqual(
      dir.state.events.map(({ kind }) => kind),
      ['applied', 'applied', 'synced'],
    );
  });

  it('follows new files, edits, new folders and removals', async () => {
    await using dir = await watched();
    dir.write('a.yaml', service('a'));
    await dir.until('a', (state) => names(state) === 'a');
    mkdirSync(dir.path('sub/deep'), { recursive: true });
    dir.write('sub/deep/b.yaml', service('b'));
    await dir.until('b', (state) => names(state) === 'a b');
    dir.write('sub/deep/b.yaml', service('b', 81));
    await dir.until('the edit', ({ objects }) => portOf(objects.get('b')) === 81);
    assert.equal(dir.state.objects.get('b')?.metadata.generation, 2);
    rmSync(dir.path('sub'), { recursive: true });
    await dir.until('the removal', (state) => names(state) === 'a');
    assert.deepEqual(messages(dir.state), []);
  });

  it('follows a folder that is removed and made anew under the same name', async () => {
    await using dir = await watched();
    mkdirSync(dir.path('sub'));
    dir.write('sub/a.yaml', service('a'));
    await dir.until('a', (state) => names(state) === 'a');
    rmSync(dir.path('sub'), { recursive: true });
    mkdirSync(dir.path('sub'));
    dir.write('sub/b.yaml', service('b'));
    await dir.until('b for a', (state) => names(state) === 'b');
    dir.write('sub/b.yaml', service('b', 81));
    await dir.until('the edit', ({ objects }) => portOf(objects.get('b')) === 81);
  });

  it('takes an editor that writes beside and renames over', async () => {
    await using dir = await watched({ 'a.yaml': `${service('a')}---\n${service('b')}` });
    dir.write('.a.yaml.swp', 'half');
    dir.write('a.yaml~', service('old'));
    dir.write('.new', service('a', 81));
    renameSync(dir.path('.new'), dir.path('a.yaml'));
    await dir.until('b gone', (state) => names(state) === 'a' && portOf(state.objects.get('a')) === 81);
    assert.equal(dir.state.synced, 1);
  });

  it('says nothing when a file is renamed, touched or written anew as it was', async () => {
    await using dir = await watched({ 'a.yaml': service('a') });
    const before = dir.state.events.length;
    renameSync(dir.path('a.yaml'), dir.path('b.yaml'));
    await sleep(100);
    dir.write('b.yaml', readFileSync(dir.path('b.yaml')));
    rmSync(dir.path('b.yaml'));
    dir.write('c.yaml', service('a'));
    dir.write('z.yaml', service('z'));
    await dir.until('z', ({ objects }) => objects.has('z'));
    await sleep(100);
    assert.deepEqual(
      dir.state.events.slice(before).map(({ kind }) => kind),
      ['applied'],
    );
    assert.equal(
      dir.locate({ group: '', kind: 'Service', namespace: 'default', name: 'a' }, '')?.file,
      dir.path('c.yaml'),
    );
  });

  it('never drops an object while its file is written slowly', async () => {
    const text = ['a', 'b', 'c'].map((name) => service(name)).join('---\n');
    await using dir = await watched({ 'a.yaml': text });
    const next = text.replaceAll('80', '81');
    truncateSync(dir.path('a.yaml'));
    for (let at = 0; at < next.length; at += 11) {
      await sleep(20);
      appendFileSync(dir.path('a.yaml'), next.slice(at, at + 11));
    }
    await dir.until('all new', ({ objects }) =>
      ['a', 'b', 'c'].every((name) => portOf(objects.get(name)) === 81),
    );
    assert.equal(gone(dir.state), 0);
    assert.deepEqual(
      dir.state.events.filter(({ kind }) => kind === 'problems'),
      [],
    );
  });

  it('keeps the last good form when a file stops parsing, also when it is renamed then', async () => {
    await using dir = await watched({ 'a.yaml': `${service('a')}---\n${service('b')}` });
    dir.write('a.yaml', `${service('a', 81)}---\nkind: [`);
    await dir.until('the problem', ({ problems }) => problems.length === 1);
    assert.match(
      messages(dir.state)[0] ?? '',
      /a\.yaml is not YAML: .*; the last good form of its objects stays live$/,
    );
    assert.equal(portOf(dir.state.objects.get('a')), 81);
    renameSync(dir.path('a.yaml'), dir.path('b.yaml'));
    await dir.until('its new name', (state) => /b\.yaml is not YAML/.test(messages(state)[0] ?? ''));
    assert.equal(names(dir.state), 'a b');
    dir.write('b.yaml', service('a', 82));
    await dir.until('b gone with the fix', (state) => names(state) === 'a' && state.problems.length === 0);
  });

  it('keeps the last good form of one bad object while the others go on', async () => {
    await using dir = await watched({ 'a.yaml': `${service('a')}---\n${service('b')}` });
    dir.write('a.yaml', `${service('a', 0)}---\n${service('b', 81)}`);
    await dir.until('b', ({ objects }) => portOf(objects.get('b')) === 81);
    assert.equal(portOf(dir.state.objects.get('a')), 80);
    assert.deepEqual(messages(dir.state), [
      'Service default/a: spec.ports[0].port must be an integer between 1 and 65535, got 0; the last good form stays live',
    ]);
    const ref = { group: '', kind: 'Service', namespace: 'default', name: 'a' };
    assert.deepEqual(dir.locate(ref, 'spec.ports[0].port'), {
      file: dir.path('a.yaml'),
      line: 4,
      column: 23,
    });
    rmSync(dir.path('a.yaml'));
    await dir.until('both gone', (state) => names(state) === '');
  });

  it('takes the first of two definitions by path, and the other when that goes', async () => {
    await using dir = await watched({ 'b.yaml': service('x', 81), 'a.yaml': `# one\n${service('x', 80)}` });
    assert.equal(portOf(dir.state.objects.get('x')), 80);
    const where = `${dir.path('a.yaml')}:2 and at ${dir.path('b.yaml')}:1`;
    assert.deepEqual(messages(dir.state), [
      `Service default/x: is defined twice, at ${where}; the first, by file path, is used`,
    ]);
    rmSync(dir.path('a.yaml'));
    await dir.until(
      'the other',
      (state) => portOf(state.objects.get('x')) === 81 && state.problems.length === 0,
    );
    assert.equal(gone(dir.state), 0);
  });

  it('refuses what is no file to read, and says so', async () => {
    await using dir = await watched();
    mkdirSync(dir.path('sub'));
    symlinkSync('..', dir.path('sub/up'));
    symlinkSync('self.yaml', dir.path('self.yaml'));
    symlinkSync('nothing', dir.path('dangling.yaml'));
    dir.write('large.yaml', `${service('large')}#${' '.repeat(5 * 2 ** 20)}\n`);
    dir.write('latin1.yaml', Buffer.from('# \xe9\n', 'latin1'));
    await dir.until('five problems', ({ problems }) => problems.length === 5);
    assert.deepEqual(
      messages(dir.state).map((message) => message.replace(`${dir.path('')}/`, '')),
      [
        'dangling.yaml: is a link to nothing',
        'large.yaml: has 5242963 bytes, more than 1048576',
        'latin1.yaml is not YAML: it is not UTF-8 text',
        'self.yaml: is a link that leads back to itself',
        'sub/up: is a link back to a folder above it',
      ],
    );
    assert.deepEqual([...new Set(dir.state.problems.map(({ code }) => code))], ['WEFT-1007', 'WEFT-1001']);
  });

  it('follows links to files and folders, as mounted ConfigMaps are made of', async () => {
    await using dir = await watched();
    mkdirSync(dir.path('..one'));
    dir.write('..one/a.yaml', service('a', 80));
    mkdirSync(dir.path('..two'));
    dir.write('..two/a.yaml', service('a', 81));
    symlinkSync('..one', dir.path('..data'));
    symlinkSync('..data/a.yaml', dir.path('a.yaml'));
    await dir.until('one', ({ objects }) => portOf(objects.get('a')) === 80);
    symlinkSync('..two', dir.path('..next'));
    renameSync(dir.path('..next'), dir.path('..data'));
    await dir.until('two', ({ objects }) => portOf(objects.get('a')) === 81);
    assert.equal(gone(dir.state), 0);
  });

  it('keeps everything while the directory itself is away', async () => {
    await using dir = await watched({ 'a.yaml': service('a') });
    const here = dir.path('.');
    renameSync(here, `${here}-away`);
    await dir.until('the problem', ({ problems }) => problems.length === 1);
    assert.equal(
      messages(dir.state)[0],
      `${here.replace(/\/\.?$/, '')}: cannot be listed (ENOENT); what was read below it before stays`,
    );
    assert.equal(names(dir.state), 'a');
    renameSync(`${here}-away`, here);
    await dir.until('back', ({ problems }) => problems.length === 0);
    assert.equal(gone(dir.state), 0);
  });

  it('keeps what was in a folder while that cannot be listed, and follows it again after', async () => {
    await using dir = await watched({ 'a.yaml': service('a') });
    mkdirSync(dir.path('sub/deep'), { recursive: true });
    dir.write('sub/b.yaml', service('b'));
    dir.write('sub/deep/c.yaml', service('c'));
    await dir.until('all', (state) => names(state) === 'a b c');
    {
      using _ = locked(dir.path('sub'), 0o000);
      await dir.until('the problem', ({ problems }) => problems.length === 1);
      await sleep(6 * goneTime);
      assert.equal(names(dir.state), 'a b c');
      assert.equal(
        messages(dir.state)[0],
        `${dir.path('sub')}: cannot be listed (EACCES); what was read below it before stays`,
      );
      assert.deepEqual(
        dir.state.problems.map(({ code, severity, fix }) => [code, severity, fix]),
        [['WEFT-1007', 'error', 'check its permissions']],
      );
    }
    await dir.until('back', ({ problems }) => problems.length === 0);
    assert.equal(gone(dir.state), 0);
    rmSync(dir.path('sub'), { recursive: true });
    await dir.until('the removal', (state) => names(state) === 'a');
  });

  it('keeps what was in a folder that can be listed but not entered', async () => {
    await using dir = await watched();
    mkdirSync(dir.path('sub/deep'), { recursive: true });
    dir.write('sub/a.yaml', service('a'));
    dir.write('sub/deep/b.yaml', service('b'));
    await dir.until('both', (state) => names(state) === 'a b');
    {
      using _ = locked(dir.path('sub'), 0o444);
      await dir.until('the problems', ({ problems }) => problems.length === 2);
      await sleep(6 * goneTime);
      assert.equal(names(dir.state), 'a b');
      assert.deepEqual(messages(dir.state), [
        `${dir.path('sub/a.yaml')}: cannot be read (EACCES); the last good form of its objects stays live`,
        `${dir.path('sub/deep')}: cannot be read (EACCES)`,
      ]);
    }
    await dir.until('back', ({ problems }) => problems.length === 0);
    assert.equal(gone(dir.state), 0);
  });

  it('keeps the objects of a file that cannot be read, also when it is written meanwhile', async () => {
    await using dir = await watched({ 'a.yaml': service('a') });
    {
      using _ = locked(dir.path('a.yaml'), 0o000);
      await dir.until('the problem', ({ problems }) => problems.length === 1);
      assert.equal(
        messages(dir.state)[0],
        `${dir.path('a.yaml')}: cannot be read (EACCES); the last good form of its objects stays live`,
      );
      await sleep(6 * goneTime);
      assert.equal(names(dir.state), 'a');
    }
    dir.write('a.yaml', service('a', 81));
    await dir.until('the edit', (state) => portOf(state.objects.get('a')) === 81);
    assert.equal(gone(dir.state), 0);
    assert.deepEqual(messages(dir.state), []);
  });

  it('says that it is too large, and where it stopped counts as unknown', async () => {
    await using dir = await watched({ 'a.yaml': '', 'b.yaml': '', 'c.yaml': '' });
    const top = dir.path('.').replace(/\/\.?$/, '');
    assert.deepEqual(scanDirectory(top, 4).refused, []);
    const { files, refused } = scanDirectory(top, 3);
    assert.equal(files.size, 2);
    assert.deepEqual(
      refused.map(({ file, problems }) => [file, problems[0]?.code, problems[0]?.message]),
      [
        [
          top,
          'WEFT-1007',
          `${top}: holds more than 3 files and folders; those beyond are not read, and what was read before stays`,
        ],
      ],
    );
  });

  it('gives a Service its address in any case, and says when it is not the one asked for', async () => {
    const asks = (name: string): string => service(name).replace('{ports', '{clusterIP: 10.96.7.7, ports');
    await using dir = await watched({ 'a.yaml': asks('a'), 'b.yaml': asks('b'), 'c.yaml': service('c') });
    const address = (name: string): unknown =>
      (dir.state.objects.get(name)?.spec as { clusterIP?: string } | undefined)?.clusterIP;
    assert.equal(address('a'), '10.96.7.7');
    assert.match(String(address('c')), /^10\.96\./);
    assert.deepEqual(messages(dir.state), [
      `Service default/b: spec.clusterIP 10.96.7.7 belongs to Service default/a; it gets ${address('b')} instead`,
    ]);
  });
});

/**
 * After any history, a source that saw it all says what one started now would say. With one difference: objects whose
 * present form cannot be used live on as they last were; those are in nobody's fresh start. Generations count history.
 */
describe('any sequence of edits', () => {
  const file = fc.constantFrom('a.yaml', 'b.yaml', 'sub/c.yaml');
  const part = fc.oneof(
    fc
      .tuple(fc.constantFrom('x', 'y', 'z'), fc.constantFrom(80, 81))
      .map(([name, port]) => service(name, port)),
    fc.constantFrom(service('x', 0), service('y', 0), 'a: [\n', 'kind: Nothing\n', '', '# none\n'),
  );
  const content = fc.array(part, { maxLength: 3 }).map((parts) => parts.join('---\n'));
  const edit = fc.oneof(
    fc.record({ do: fc.constant('write' as const), file, content }),
    fc.record({ do: fc.constant('replace' as const), file, content }),
    fc.record({ do: fc.constant('append' as const), file, content }),
    fc.record({ do: fc.constant('remove' as const), file }),
    fc.record({ do: fc.constant('rename' as const), file, to: file }),
    fc.record({ do: fc.constant('wait' as const), file, time: fc.constantFrom(5, 70, 400) }),
  );
  type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

  async function perform(dir: Watched, one: Edit): Promise<void> {
    const path = dir.path(one.file);
    switch (one.do) {
      case 'write':
        return writeFileSync(path, one.content);
      case 'replace':
        writeFileSync(`${path}.tmp`, one.content);
        return renameSync(`${path}.tmp`, path);
      case 'append':
        return appendFileSync(path, one.content);
      case 'remove':
        return rmSync(path, { force: true });
      case 'rename':
        appendFileSync(path, '');
        return renameSync(path, dir.path(one.to));
      case 'wait':
        return sleep(one.time);
      default:
        return one satisfies never;
    }
  }

  const comfort = /; the last good form( of its objects)? stays live$/;
  const said = (state: State): readonly unknown[] =>
    state.problems.map((problem) => ({ ...problem, message: problem.message.replace(comfort, '') }));
  const objectsIn = (state: State): ReadonlyMap<string, unknown> =>
    new Map(
      [...state.objects].map(([name, { metadata, ...rest }]) => [
        name,
        { ...rest, metadata: { ...metadata, generation: 0 } },
      ]),
    );

  it('ends as a fresh start on the same directory does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { maxLength: 12 }), async (edits) => {
        await using dir = await watched();
        mkdirSync(dir.path('sub'));
        for (const one of edits) await perform(dir, one);
        dir.write('end.yaml', service('end'));
        await using fresh = await freshOn(dir);
        const agree = (): boolean => {
          const live = objectsIn(dir.state);
          const kept = [...live.keys()].filter((name) => !fresh.state.objects.has(name));
          return (
            [...objectsIn(fresh.state)].every(([name, object]) => isSame(live.get(name), object)) &&
            isSame(said(dir.state), said(fresh.state)) &&
            (kept.length === 0 || messages(dir.state).some((message) => comfort.test(message)))
          );
        };
        await dir.until('agreement with a fresh start', agree);
      }),
      { numRuns: 20 },
    );
  });

  async function freshOn(dir: Watched): Promise<Watched> {
    const abort = new AbortController();
    const source = directorySource({
      directory: dir.path('.').replace(/\/\.?$/, ''),
      serviceCidr: '10.96.0.0/16',
      log: silentLogger,
    });
    const state: State = { objects: new Map(), problems: [], events: [], synced: 0 };
    for await (const batch of source.events(abort.signal)) {
      for (const event of batch) take(state, event);
      abort.abort();
    }
    return { ...dir, state, [Symbol.asyncDispose]: async () => {} };
  }

  function isSame(a: unknown, b: unknown): boolean {
    try {
      assert.deepEqual(a, b);
      return true;
    } catch {
      // Only an assertion fails here.
      return false;
    }
  }
});
