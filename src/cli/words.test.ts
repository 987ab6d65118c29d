import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { closest } from './closest.ts';
import { unifiedDiff } from './diff.ts';
import { parseDuration, showDuration } from './duration.ts';
import { replaced, splitManifests } from './manifest-files.ts';
import { problemLine } from './problems.ts';
import { createStyle, selfOf } from './style.ts';
import { renderTable } from './table.ts';
import { renderUpScreen, type UpScreen } from './up-screen.ts';

test('the word that was probably meant', () => {
  const known = ['status', 'check', 'edges', 'proxy'];
  assert.equal(closest('statsu', known), 'status');
  assert.equal(closest('STATUS', known), 'status');
  assert.equal(closest('chek', known), 'check');
  assert.equal(closest('banana', known), undefined);
  assert.equal(closest('x', []), undefined);
});

test('durations', () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ['30s', 30_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['2', 2000],
    ['1.5s', 1500],
    ['', undefined],
    ['soon', undefined],
    ['-1s', undefined],
    ['1s1', undefined],
  ];
  for (const [text, ms] of cases) assert.equal(parseDuration(text), ms, text);
  assert.deepEqual([0, 999, 45_000, 600_000, 10_800_000, 864_000_000].map(showDuration), [
    '0ms',
    '999ms',
    '45s',
    '10m',
    '3h',
    '10d',
  ]);
});

test('columns line up, whatever the colours', () => {
  const style = createStyle({ colour: true, unicode: true });
  const text = renderTable(
    ['A', 'B'],
    [
      [style.paint('red', 'x'), '1'],
      ['long', ''],
    ],
  );
  assert.equal(text, 'A      B\n\u001b[31mx\u001b[39m      1\nlong\n');
});

test('a diff applied to the old text gives the new one', () => {
  const lines = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 8 });
  fc.assert(
    fc.property(lines, lines, (a, b) => {
      const text = (list: readonly string[]): string => list.map((line) => `${line}\n`).join('');
      const diff = unifiedDiff(text(a), text(b));
      if (text(a) === text(b)) return assert.equal(diff, '');
      const kept = diff
        .split('\n')
        .slice(0, -1)
        .filter((line) => line !== '  …');
      const side = (sign: string): string[] =>
        kept.filter((line) => line[0] === ' ' || line[0] === sign).map((line) => line.slice(2));
      // Within eight lines nothing is far from a change but a common start or end.
      assert.ok(text(a).includes(text(side('-'))));
      assert.ok(text(b).includes(text(side('+'))));
    }),
  );
});

test('replacing a document changes no other byte', () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const comment = fc.constantFrom('', '# one\n', '\n# two\n\n');
  const document = fc.record({ name, before: comment, after: comment, quoted: fc.boolean() });
  const show = (d: { name: string; before: string; after: string; quoted: boolean }, port: number): string =>
    `${d.before}apiVersion: v1\nkind: Service\nmetadata: {name: ${d.quoted ? `"${d.name}"` : d.name}}\nspec: {port: ${port}}\n${d.after}`;
  fc.assert(
    fc.property(
      fc.uniqueArray(document, { selector: (d) => d.name, minLength: 1 }),
      fc.nat(),
      fc.boolean(),
      (documents, pick, leading) => {
        const texts = documents.map((d) => show(d, 1));
        const whole = (leading ? '---\n' : '') + texts.join('---\n');
        const index = pick % documents.length;
        const [fresh] = splitManifests(
          `kind: Service\nmetadata: {name: ${documents[index]?.name}}\nspec: {port: 2}\n`.replace(
            /^/,
            'apiVersion: v1\n',
          ),
        );
        assert.ok(fresh);
        const after = replaced(whole, fresh);
        const parsed = splitManifests(after);
        assert.deepEqual(
          parsed.map(({ ref, value }) => [ref.name, value.spec]),
          documents.map((d, i) => [d.name, { port: i === index ? 2 : 1 }]),
        );
        documents.forEach((_, i) => {
          if (i !== index) assert.ok(after.includes((texts[i] ?? '').trim()), after);
        });
        // Once replaced, replacing again changes nothing.
        assert.equal(replaced(after, fresh), after);
      },
    ),
  );
});

const screen: UpScreen = {
  versions: { weft: '0.1.0', envoy: '1.40.0' },
  title: 'Campus Pay (demo)',
  proxies: { inSync: 11, total: 11 },
  edges: { mtls: 9, total: 10 },
  successRate: 0.9987,
  problems: 1,
  addresses: [
    { name: 'Shop', url: 'http://127.0.0.1:15080/' },
    { name: 'Metrics', url: 'http://127.0.0.1:15090/metrics' },
  ],
  next: ['weft status', 'weft edges', 'weft demo story canary --break'],
};

test('the screen of weft up, plain', () => {
  assert.equal(
    renderUpScreen(screen),
    `Weft 0.1.0   Campus Pay (demo)   Envoy 1.40.0
  Proxies    [ok] ok 11/11 in sync (100 %)
  mTLS       [warn] warn 9/10 edges encrypted and mutual (90 %)
  Success    [ok] ok 99.87 % of requests
  Problems   [warn] warn 1: weft status tells which

  Shop       http://127.0.0.1:15080/
  Metrics    http://127.0.0.1:15090/metrics

  Try        weft status
             weft edges
             weft demo story canary --break
  End        Ctrl-C; it leaves nothing behind
`,
  );
});

test('a file is named once', () => {
  const line = (message: string): string =>
    problemLine({
      code: 'WEFT-1001',
      severity: 'error',
      reason: 'Invalid',
      message,
      fix: '',
      ref: { group: '', kind: 'File', namespace: '', name: 'tab.yaml' },
      field: '',
      location: { file: 'sub/tab.yaml', line: 4, column: 1 },
    });
  assert.equal(line('/m/sub/tab.yaml is not YAML: tabs'), 'sub/tab.yaml:4:1 WEFT-1001 not YAML: tabs');
  assert.equal(line('sub/tab.yaml: has no kind'), 'sub/tab.yaml:4:1 WEFT-1001 has no kind');
  assert.equal(line('Service a/tab.yaml: no'), 'sub/tab.yaml:4:1 WEFT-1001 Service a/tab.yaml: no');
});

test('hints name the program as it was called, and only where a command follows', () => {
  const { hint } = createStyle({ colour: false, unicode: false, self: './weft' });
  const said =
    'weft down, then weft up; weft itself failed; dist/weft status; see `weft logs web`, weft upward';
  assert.equal(
    hint(said),
    './weft down, then ./weft up; weft itself failed; dist/weft status; see `./weft logs web`, weft upward',
  );
  assert.equal(selfOf({}), 'weft');
  assert.equal(selfOf({ WEFT_SELF: './we ft' }), "'./we ft'");
  const text = renderUpScreen(screen, createStyle({ colour: false, unicode: false, self: './weft' }));
  assert.match(text, /Try {8}\.\/weft status\n {13}\.\/weft edges\n/);
});

test('the screen of weft up before anything runs, on a terminal', () => {
  const style = createStyle({ colour: true, unicode: true });
  const empty = { inSync: 0, total: 0 };
  const { successRate: _, ...rest } = screen;
  const text = renderUpScreen({ ...rest, proxies: empty, edges: { mtls: 0, total: 0 } }, style);
  assert.ok(text.includes(`Proxies    ${style.mark('wait')} none yet`));
  assert.match(text, /no request yet/);
});
