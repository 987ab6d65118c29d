/**
 * Bundles the program into `dist/`. Code splitting keeps what is imported lazily (all of Envoy's messages) out
 * of the files that `weft --help` loads.
 */
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root: string = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist: string = join(root, 'dist');

/** Some dependencies are CommonJS and call require() for Node's own modules. */
const requireForCommonJs =
  "import { createRequire as weftCreateRequire } from 'node:module';\n" +
  'const require = weftCreateRequire(import.meta.url);';

/** Starts the program with V8's compile cache beside it: a third off every start after the first. */
const launcher = `import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
enableCompileCache(join(import.meta.dirname, '.cache'));
await import('./main.mjs');
`;

const result = await build({
  entryPoints: { main: join(root, 'src/app/main.ts') },
  outdir: dist,
  outExtension: { '.js': '.mjs' },
  chunkNames: 'chunk-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  minifySyntax: true,
  minifyWhitespace: true,
  banner: { js: requireForCommonJs },
  logLevel: 'warning',
  metafile: true,
});
writeFileSync(join(dist, 'weft.mjs'), launcher);
await build({
  entryPoints: { 'campus-pay': join(root, 'demo/services/main.ts') },
  outdir: dist,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  banner: { js: requireForCommonJs },
  logLevel: 'warning',
});

// Chunks are named by content, and a program that runs meanwhile may still load its own: keep old ones for a day.
const made = new Set(Object.keys(result.metafile.outputs).map((path) => path.split('/').at(-1)));
for (const name of readdirSync(dist)) {
  const old = statSync(join(dist, name)).mtimeMs < Date.now() - 86_400_000;
  if (name.startsWith('chunk-') && !made.has(name) && old) rmSync(join(dist, name));
}
rmSync(join(dist, '.cache'), { recursive: true, force: true });
