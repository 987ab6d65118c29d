import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { checkRooms } from './rooms.ts';

const roomNames =
  'base model store sources resolve translate snapshot xds identity status agent local admin cli control-plane app'.split(
    ' ',
  );

/** What the check says of a house that holds only these files. */
function say(
  files: Readonly<Record<string, string>>,
  ...rest: [Parameters<typeof checkRooms>[1]?]
): string[] {
  const root = mkdtempSync(join(tmpdir(), 'weft-rooms-'));
  try {
    const named = { 'ARCHITECTURE.md': roomNames.map((name) => `\`${name}\``).join(' '), ...files };
    for (const [path, text] of Object.entries(named)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return checkRooms(root, rest[0] ?? []);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const x = 'export const x: number = 1;\n';

test('a wall says what the room may look into', () => {
  const files = { 'src/translate/x.ts': "import { y } from '../sources/y.ts';\n", 'src/sources/y.ts': x };
  assert.deepEqual(say(files), [
    'src/translate/x.ts → src/sources/y.ts: translate may look into model, gen, types of snapshot — not sources',
  ]);
});

test('a wall stops every form of import', () => {
  const forms = [
    "import '../resolve/resolve.ts';",
    "import {\n  y,\n  z,\n} from '../resolve/resolve.ts';",
    "import * as y from '../resolve/resolve.ts';",
    "import type { Y } from '../resolve/resolve.ts';",
    "export { y } from '../resolve/resolve.ts';",
    "export async function f() {\n  return (await import('../resolve/resolve.ts')).y;\n}",
  ];
  for (const form of forms) assert.equal(say({ 'src/xds/xds.ts': `${form}\n` }).length, 1, form);
  assert.deepEqual(say({ 'src/xds/xds.ts': "// import { y } from '../resolve/resolve.ts';\n" }), []);
});

test('nothing looks into app, and app looks everywhere', () => {
  assert.equal(say({ 'src/cli/x.ts': "import { y } from '../app/app.ts';\n" }).length, 1);
  const reads = "import { y } from '../resolve/resolve.ts';\nimport { z } from '../xds/xds.ts';\n";
  assert.deepEqual(say({ 'src/app/main.ts': reads }), []);
});

test('Kubernetes shapes are not the shapes of Envoy', () => {
  const kubernetes = "import { schemas } from '../../gen/kubernetes/schemas.ts';\n";
  const envoy = "import { Y } from '../../gen/envoy/type/v3/range_pb.ts';\n";
  assert.deepEqual(say({ 'src/sources/x.ts': kubernetes, 'src/translate/x.ts': envoy }), []);
  assert.equal(say({ 'src/sources/x.ts': envoy }).length, 1);
  assert.equal(say({ 'src/translate/x.ts': kubernetes }).length, 1);
});

test('resolve names the types of sources and takes no values', () => {
  assert.deepEqual(say({ 'src/resolve/x.ts': "import type { Y } from '../sources/types.ts';\n" }), []);
  assert.equal(say({ 'src/resolve/x.ts': "import { y } from '../sources/types.ts';\n" }).length, 1);
});

test('a room has one door, unless it is vocabulary', () => {
  assert.deepEqual(say({ 'src/agent/x.ts': "import { y } from '../xds/step.ts';\n" }), [
    'src/agent/x.ts → src/xds/step.ts: the door of xds is src/xds/xds.ts',
  ]);
  const open = "import { y } from '../xds/xds.ts';\nimport { z } from '../model/names.ts';\n";
  assert.deepEqual(say({ 'src/agent/x.ts': `${open}import { r } from '../snapshot/resource.ts';\n` }), []);
});

test('a pure room may not name what is not an argument', () => {
  const impure = [
    'const x = new Date();',
    'const x = Math.random();',
    'const x = process.env;',
    'await fetch(x);',
    'setTimeout(f, 1);',
    'const x = `${process.pid}`;',
    "import { readFileSync } from 'node:fs';",
    "import { hash } from 'node:crypto';",
  ];
  for (const line of impure) assert.equal(say({ 'src/translate/x.ts': `${line}\n` }).length, 1, line);
  const pure = "// the Date of process\nconst x = 'Date' + y.process + `fetch`;\nconst z = { process: 1 };\n";
  assert.deepEqual(say({ 'src/translate/x.ts': pure, 'src/xds/x.ts': impure.join('\n') }), []);
  assert.deepEqual(say({ 'src/snapshot/x.ts': "import { hash } from 'node:crypto';\n" }), []);
});

test('files, functions and rooms have limits', () => {
  const lines = (count: number): string => 'const x = 1;\n'.repeat(count);
  assert.deepEqual(say({ 'src/xds/x.ts': lines(350) }), []);
  assert.deepEqual(say({ 'src/xds/x.ts': lines(351) }), ['src/xds/x.ts: 351 lines, the limit is 350']);
  assert.equal(say({ 'src/base/a.ts': lines(301), 'src/base/b.ts': lines(300) }).length, 1);

  const body = (start: string, end: string): string => `${start}\n${'  x();\n'.repeat(59)}${end}\n`;
  const starts = [
    ['function f(): void {', '}'],
    ['export async function f(\n  a: string,\n): Promise<void> {', '}'],
    ['const f = (): void => {', '};'],
    ['  run(a: string): void {', '  },'],
    ['  g(a, (b) => {', '  });'],
  ];
  for (const [start = '', end = ''] of starts) {
    assert.equal(say({ 'src/xds/x.ts': body(start, end) }).length, 1, start);
  }
  assert.deepEqual(say({ 'src/xds/x.ts': body('if (x) {', '}') }), []);
  assert.deepEqual(say({ 'src/xds/x.ts': 'function f(): void {\n  x();\n}\n'.repeat(80) }), []);
});

test('no default exports, no barrels', () => {
  assert.equal(say({ 'src/xds/x.ts': 'export default 1;\n' }).length, 1);
  assert.equal(say({ 'src/xds/x.ts': "export * from './y.ts';\n" }).length, 1);
});

test('no circle of values; types and lazy imports may close one', () => {
  const back = (form: string): string[] => {
    return say({ 'src/xds/a.ts': "import { b } from './b.ts';\n", 'src/xds/b.ts': `${form}\n` });
  };
  assert.deepEqual(back("import { a } from './a.ts';"), [
    'src/xds/a.ts → src/xds/b.ts → src/xds/a.ts: a circle of imports',
  ]);
  assert.deepEqual(back("import type { A } from './a.ts';"), []);
  assert.deepEqual(back("const a = (): unknown => import('./a.ts');"), []);
});

test('tests may look anywhere and be long; nothing looks into them', () => {
  const files = { 'src/xds/x.test.ts': `import { y } from '../resolve/deep.ts';\n${x.repeat(400)}` };
  assert.deepEqual(say(files), []);
  assert.equal(say({ ...files, 'src/xds/y.ts': "import { x } from './x.test.ts';\n" }).length, 1);
});

test('every folder is a room, and ARCHITECTURE.md names each', () => {
  assert.equal(say({ 'src/util/x.ts': x }).length, 1);
  assert.equal(say({ 'ARCHITECTURE.md': 'empty' }).length, roomNames.length);
  assert.equal(say({ 'src/xds/x.ts': "import { y } from '../../test/y.ts';\n" }).length, 1);
});

test('an exception silences one message and goes when it is no longer needed', () => {
  const exception = { message: 'src/xds/x.ts: default export', reason: 'to try' };
  assert.deepEqual(say({ 'src/xds/x.ts': 'export default 1;\n' }, [exception]), []);
  assert.equal(say({}, [exception]).length, 1);
});
