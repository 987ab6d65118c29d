/**
 * Makes `gen/` from the committed shapes in `schemas/`: TypeScript for Envoy's messages, and the reduced
 * Kubernetes schemas as plain JSON. Does nothing when the inputs are those of the last run.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponseSchema,
  type FileDescriptorProto,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';

const root: string = join(dirname(fileURLToPath(import.meta.url)), '..');
const gen: string = join(root, 'gen');
const envoyShapes: string = join(root, 'schemas/envoy/descriptor.binpb.gz');
const kubernetesShapes: string = join(root, 'schemas/kubernetes/schemas.json.gz');

function main(): void {
  const stamp = inputsHash();
  const stampFile = join(gen, '.stamp');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;

  const started = performance.now();
  // Made beside and moved into place, so that an interrupted run leaves no half of a gen/ that looks whole.
  const fresh = `${gen}.${process.pid}.tmp`;
  rmSync(fresh, { recursive: true, force: true });
  const set = fromBinary(FileDescriptorSetSchema, gunzipSync(readFileSync(envoyShapes)));
  const count = writeMessages(set.file, fresh);
  write(join(fresh, 'registry.ts'), registrySource(set.file));
  write(
    join(fresh, 'kubernetes/schemas.ts'),
    schemasSource(gunzipSync(readFileSync(kubernetesShapes)).toString()),
  );
  write(join(fresh, '.stamp'), stamp);
  rmSync(gen, { recursive: true, force: true });
  renameSync(fresh, gen);
  process.stderr.write(`gen: ${count} files in ${Math.round(performance.now() - started)} ms\n`);
}

/** Everything the output depends on: the shapes, this script, and the generator's version. */
function inputsHash(): string {
  const hash = createHash('sha256');
  const generator = join(root, 'node_modules/@bufbuild/protoc-gen-es/package.json');
  for (const file of [envoyShapes, kubernetesShapes, fileURLToPath(import.meta.url), generator]) {
    hash.update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** Asks protoc-gen-es as protoc would, over its standard input and output; no protoc, no buf. */
function writeMessages(files: FileDescriptorProto[], into: string): number {
  const request = create(CodeGeneratorRequestSchema, {
    protoFile: files,
    fileToGenerate: files.map((file) => file.name).filter(isOurs),
    // Node runs the output as it is, so imports name .ts files and enums are erasable.
    parameter: 'target=ts,import_extension=ts,erasable_syntax=true',
  });
  const run = spawnSync(
    process.execPath,
    [join(root, 'node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es')],
    { input: toBinary(CodeGeneratorRequestSchema, request), maxBuffer: 1 << 28 },
  );
  if (run.status !== 0) throw new Error(`protoc-gen-es failed: ${run.stderr.toString()}`);
  const response = fromBinary(CodeGeneratorResponseSchema, run.stdout);
  if (response.error) throw new Error(`protoc-gen-es: ${response.error}`);
  for (const file of response.file) write(join(into, file.name), file.content);
  return response.file.length;
}

/** One registry of every message, for JSON with `Any` expanded. Importing it loads everything: import it lazily. */
function registrySource(files: FileDescriptorProto[]): string {
  const ours = files.map((file) => file.name).filter(isOurs);
  const alias = (name: string): string =>
    `file_${name.replace(/\.proto$/, '').replace(/[^a-zA-Z0-9]/g, '_')}`;
  return [
    "import { createRegistry, type Registry } from '@bufbuild/protobuf';",
    ...wellKnown.map((name) => `import { file_google_protobuf_${name} } from '@bufbuild/protobuf/wkt';`),
    ...ours.map((name) => `import { ${alias(name)} } from './${name.replace(/\.proto$/, '_pb.ts')}';`),
    '',
    'export const registry: Registry = createRegistry(',
    ...wellKnown.map((name) => `  file_google_protobuf_${name},`),
    ...ours.map((name) => `  ${alias(name)},`),
    ');',
    '',
  ].join('\n');
}

/**
 * The schemas as one string, which V8 parses several times faster as JSON than as source. An entry that is a
 * string names the version of the kind that it equals.
 */
function schemasSource(json: string): string {
  return [
    '/** Structural schemas by `<group>/<version>/<Kind>`; the core group is written `v1/Pod`. */',
    'export const schemas: Readonly<Record<string, unknown>> = load(',
    `  ${JSON.stringify(json.trim())},`,
    ');',
    '',
    'function load(text: string): Record<string, unknown> {',
    '  const entries: Record<string, unknown> = JSON.parse(text);',
    '  for (const [name, value] of Object.entries(entries)) {',
    "    if (typeof value === 'string') entries[name] = entries[value];",
    '  }',
    '  return entries;',
    '}',
    '',
  ].join('\n');
}

const wellKnown: readonly string[] = ['any', 'duration', 'empty', 'struct', 'timestamp', 'wrappers'];

/** The well-known types come with the protobuf library. */
function isOurs(name: string): boolean {
  return !name.startsWith('google/protobuf/');
}

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

main();
