import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nearestWord } from './nearest.ts';

const words = ['ports', 'selector', 'clusterIP', 'type', 'constructor'];
const table: readonly (readonly [string, string | undefined])[] = [
  ['port', 'ports'],
  ['prots', 'ports'],
  ['clusterIp', 'clusterIP'],
  ['SELECTOR', 'selector'],
  ['seletcor', 'selector'],
  ['zebra', undefined],
  ['', undefined],
  ['x'.repeat(10_000), undefined],
];

for (const [word, meant] of table) {
  it(`${word.slice(0, 20)} was probably ${meant}`, () => assert.equal(nearestWord(word, words), meant));
}
