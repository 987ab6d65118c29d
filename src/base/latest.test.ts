import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLatest } from './latest.ts';

test('a slow follower sees the newest value and skips those between', async () => {
  const stop = new AbortController();
  const latest = createLatest<number>();
  latest.set(1);
  const seen: number[] = [];
  for await (const value of latest.follow(stop.signal)) {
    seen.push(value);
    if (value === 1) {
      latest.set(2);
      latest.set(3);
    } else stop.abort();
  }
  assert.deepEqual(seen, [1, 3]);
});

test('every follower is woken, and an abort ends the wait', async () => {
  const stop = new AbortController();
  const latest = createLatest<string>();
  const follow = async (): Promise<string[]> => {
    const seen: string[] = [];
    for await (const value of latest.follow(stop.signal)) seen.push(value);
    return seen;
  };
  const both = [follow(), follow()];
  latest.set('a');
  await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  assert.deepEqual(await Promise.all(both), [['a'], ['a']]);
});
