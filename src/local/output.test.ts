import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { createOutput } from './output.ts';

test('keeps the newest lines, however the text was cut', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n') });
  fc.assert(
    fc.property(fc.array(text), fc.nat(50), (chunks, tail) => {
      const output = createOutput(() => 0);
      for (const chunk of chunks) output.write('stdout', chunk);
      output.flush();
      const all = chunks.join('').split('\n');
      if (all.at(-1) === '') all.pop();
      const wanted = tail === 0 ? [] : all.slice(-tail);
      assert.deepEqual(
        output.tail(tail).map((line) => line.text),
        wanted,
      );
    }),
  );
});

test('lets go of old lines', () => {
  const output = createOutput(() => 0);
  for (let n = 0; n < 4_500; n++) output.write('stdout', `${n}\n`);
  const kept = output.tail(10_000).map(({ text }) => text);
  assert.equal(kept.length, 2_000);
  assert.deepEqual([kept[0], kept.at(-1)], ['2500', '4499']);
});

test('a follower gets what was and what comes, and ends', async () => {
  const output = createOutput(() => 0);
  const stop = new AbortController();
  output.write('stdout', 'old\nlast\n');
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { text } of output.follow(1, stop.signal)) {
      seen.push(text);
      if (text === 'end') stop.abort();
    }
  })();
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  output.write('stderr', 'fresh\nend\n');
  await reading;
  assert.deepEqual(seen, ['last', 'fresh', 'end']);
});
