/** How long `weft --help` takes, against an empty script under the same Node. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inTurns, median, printTable, quantile, ratio, show } from './support/measure.ts';

const rounds = 20;
const bundle: string = join(import.meta.dirname, '../dist/weft.mjs');

export async function run(): Promise<void> {
  if (!existsSync(bundle)) throw new Error('there is no dist/weft.mjs: run `npm run build` first');
  const directory = mkdtempSync(join(tmpdir(), 'weft-bench-'));
  const empty = join(directory, 'empty.mjs');
  writeFileSync(empty, '');
  const run = (...args: string[]): number => {
    const began = performance.now();
    execFileSync(process.execPath, args, { stdio: 'ignore' });
    return performance.now() - began;
  };
  try {
    // The first start fills the compile cache, as the first use does.
    run(bundle, '--help');
    const { help, version, floor } = await inTurns(
      {
        help: () => run(bundle, '--help'),
        version: () => run(bundle, 'version'),
        floor: () => run(empty),
      },
      rounds,
    );
    const row = (command: string, values: readonly number[]) => ({
      command,
      median: show(median(values)),
      p90: show(quantile(values, 0.9)),
      ratio: show(ratio(values, floor)),
    });
    printTable('Start of the command line (ms)', [
      row('weft --help', help),
      row('weft version', version),
      row('node on an empty script', floor),
    ]);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
