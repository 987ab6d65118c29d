/**
 * Benchmarks. Each measures Weft beside its floor, what the same work costs without it, in turns within one run, and
 * prints both with their ratio. They judge nothing: README.md says what the numbers mean.
 *
 *     npm run bench            all of them, about five minutes
 *     npm run bench encode     only those named
 */
import { loadavg } from 'node:os';

const benches: Readonly<Record<string, () => Promise<{ readonly run: () => Promise<void> }>>> = {
  encode: () => import('./encode.ts'),
  'fan-out': () => import('./fan-out.ts'),
  propagation: () => import('./propagation.ts'),
  'first-request': () => import('./first-request.ts'),
  'sidecar-pair': () => import('./sidecar-pair.ts'),
  'cli-start': () => import('./cli-start.ts'),
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  process.stderr.write(
    `bench: there is no ${unknown.join(' or ')}; there are ${Object.keys(benches).join(', ')}\n`,
  );
  process.exit(2);
}
for (const [name, load] of Object.entries(benches)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const before = loadavg()[0] ?? 0;
  const began = performance.now();
  await (await load()).run();
  const seconds = Math.round((performance.now() - began) / 1000);
  process.stdout.write(`  (${name}: ${seconds} s; load before it ${before.toFixed(2)})\n`);
}
