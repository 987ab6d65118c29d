import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ProblemCode, problemCodes } from '../model/problem.ts';
import { createResolver } from './resolve.ts';
import { show } from './testing/show.ts';
import { readYaml, settings, viewOf } from './testing/view.ts';

const folder = join(import.meta.dirname, 'testdata');
const rewrite = process.env['UPDATE_GOLDENS'] === '1';
const cases = readdirSync(folder)
  .filter((name) => name.endsWith('.in.yaml'))
  .map((name) => name.replace(/\.in\.yaml$/, ''));

for (const name of cases) {
  test(`golden ${name}`, () => {
    const input = readFileSync(join(folder, `${name}.in.yaml`), 'utf8');
    const wanted = [...input.matchAll(/^# show: (.*)$/gm)].map(([, words = '']) => words);
    const resolved = createResolver(settings).resolve(viewOf(readYaml(input, `${name}.in.yaml`)));
    const output = show(resolved, wanted);
    const path = join(folder, `${name}.out.yaml`);
    if (rewrite) writeFileSync(path, output);
    assert.equal(output, readFileSync(path, 'utf8'));
    assert.ok(input.split('\n').length <= 80 && output.split('\n').length <= 150, 'a golden is one screen');
  });
}

/** Codes of other rooms: files and schemas (10xx), proxies (13xx), the runtime. */
const elsewhere: readonly string[] = ['WEFT-10', 'WEFT-13', 'WEFT-1213'];

test('every code of this room has a golden', () => {
  const outputs = cases.map((name) => readFileSync(join(folder, `${name}.out.yaml`), 'utf8')).join('\n');
  // The keys of the list of codes are codes.
  const codes = Object.keys(problemCodes) as ProblemCode[];
  const ours = codes.filter((code) => !elsewhere.some((start) => code.startsWith(start)));
  assert.deepEqual(
    ours.filter((code) => !outputs.includes(code)),
    [],
  );
});
