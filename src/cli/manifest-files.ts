/** The mesh directory as text: finds, replaces, adds and removes single documents and leaves every other byte alone. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { type Document, isMap, parseAllDocuments, parseDocument } from 'yaml';
import { type ObjectRef, refKey, showRef } from '../model/object-ref.ts';
import { kinds } from '../sources/types.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import { kindWord } from './kinds.ts';
import { asList, asRecord, asText } from './record.ts';
import { servedMetadata } from './user-text.ts';
import { toYaml } from './yaml-text.ts';

export type Manifest = {
  readonly ref: ObjectRef;
  /** The document's own text, without its `---` line; ends with a line feed. */
  readonly text: string;
  readonly value: Readonly<Record<string, unknown>>;
};

export type Definition = Manifest & {
  /** Relative to the directory. */
  readonly file: string;
};

/** The objects of a text, in order. Documents that are not objects are left out: `parseObjects` complains of them. */
export function splitManifests(text: string): readonly Manifest[] {
  return documents(text).flatMap((document) => {
    const slice = sliceOf(text, document);
    if (slice) return [{ ref: slice.ref, value: slice.value, text: body(text.slice(slice.from, slice.to)) }];
    return listItems(document).flatMap((item): Manifest[] => {
      const [value, ref] = [asRecord(item), refOf(asRecord(item))];
      return ref ? [{ ref, value, text: toYaml(value) }] : [];
    });
  });
}

/** Without what only the mesh may say, so that what `get -o yaml` prints can be applied; else the same, to the byte. */
export function asWritten(manifest: Manifest): Manifest {
  const document = parseDocument(manifest.text, { merge: true });
  const paths = [['status'], ...servedMetadata.map((field) => ['metadata', field])];
  if (!paths.some((path) => document.hasIn(path))) return manifest;
  for (const path of paths) document.deleteIn(path);
  const value = asRecord(document.toJS({ maxAliasCount: 100 }));
  return { ...manifest, value, text: document.toString({ lineWidth: 0 }) };
}

/** Every object that the directory's files define. */
export async function listDefinitions(directory: string): Promise<readonly Definition[]> {
  const files = await listFiles(directory, directory);
  const found = await Promise.all(
    files.map(async (file) => {
      const manifests = splitManifests(await readFile(join(directory, file), 'utf8'));
      return manifests.map((manifest): Definition => ({ ...manifest, file }));
    }),
  );
  return found.flat();
}

/** Writes a document over the one of the same object in `file`, or as a file of its own. */
export async function writeManifest(directory: string, manifest: Manifest, file?: string): Promise<string> {
  if (file === undefined) {
    const { kind, namespace, name } = manifest.ref;
    const words = [kindWord(kind), namespace, name].filter((word) => word !== '');
    const fresh = `${words.join('-')}.yaml`;
    await writeWhole(join(directory, fresh), manifest.text);
    return fresh;
  }
  const before = await readFile(join(directory, file), 'utf8');
  if (!isOwnDocument(before, manifest.ref)) throw insideList(manifest.ref, file);
  await writeWhole(join(directory, file), replaced(before, manifest));
  return file;
}

/** Removes the document, and the file when nothing is left in it. */
export async function removeManifest(directory: string, { ref, file }: Definition): Promise<void> {
  const text = await readFile(join(directory, file), 'utf8');
  if (!isOwnDocument(text, ref)) throw insideList(ref, file);
  const rest = slices(text)
    .filter((slice) => refKey(slice.ref) === refKey(ref))
    .reduceRight((left, { start, to }) => left.slice(0, start) + left.slice(to), text);
  if (slices(rest).length > 0) await writeWhole(join(directory, file), rest);
  else await rm(join(directory, file));
}

/** The file's text with the object's document replaced. A comment above the old one stays unless the new one has its own. */
export function replaced(text: string, manifest: Manifest): string {
  const old = slices(text).find(({ ref }) => refKey(ref) === refKey(manifest.ref));
  if (!old) return text;
  const from = manifest.text.startsWith('#') ? old.from : old.content;
  const tail = text.slice(old.from, old.to).endsWith('\n...\n') ? '...\n' : '';
  return text.slice(0, from) + manifest.text + tail + text.slice(old.to);
}

function isOwnDocument(text: string, ref: ObjectRef): boolean {
  return slices(text).some((slice) => refKey(slice.ref) === refKey(ref));
}

function insideList(ref: ObjectRef, file: string): CommandFailure {
  return new CommandFailure({
    exitCode: exitCodes.badInput,
    message: `${showRef(ref)} stands inside a List in ${file}, which is edited by hand only`,
    next: `edit ${file}, or move the object into a document of its own`,
  });
}

type Slice = {
  readonly ref: ObjectRef;
  readonly value: Readonly<Record<string, unknown>>;
  /** Of the `---` line, of the text after it, and of the first key. */
  readonly start: number;
  readonly from: number;
  readonly content: number;
  readonly to: number;
};

function slices(text: string): readonly Slice[] {
  return documents(text).flatMap((document) => sliceOf(text, document) ?? []);
}

function documents(text: string): readonly Document.Parsed[] {
  return [...parseAllDocuments(text, { logLevel: 'silent', merge: true })];
}

/** Objects inside a `List`, as `get -o yaml` prints them. */
function listItems(document: Document.Parsed): readonly unknown[] {
  if (document.errors.length > 0) return [];
  const { kind, items } = asRecord(document.toJS({ maxAliasCount: 100 }));
  return asText(kind).endsWith('List') ? asList(items) : [];
}

function sliceOf(text: string, document: Document.Parsed): Slice | undefined {
  const { contents, errors, range } = document;
  if (errors.length > 0 || !isMap(contents) || !contents.range) return undefined;
  const value = asRecord(document.toJS({ maxAliasCount: 100 }));
  const ref = refOf(value);
  if (!ref) return undefined;
  const [start, , to] = range;
  const line = /^---[ \t]*\n/.exec(text.slice(start, to))?.[0] ?? '';
  return { ref, value, start, from: start + line.length, content: contents.range[0], to };
}

/** The object a document describes; `undefined` when it has no kind or name. */
function refOf(value: Readonly<Record<string, unknown>>): ObjectRef | undefined {
  const [kind, metadata] = [asText(value.kind), asRecord(value.metadata)];
  const name = asText(metadata.name);
  if (kind === '' || name === '') return undefined;
  const [group, version] = asText(value.apiVersion).split('/');
  const known = Object.entries(kinds).find(([word]) => word === kind)?.[1];
  const namespace = known?.namespaced === false ? '' : asText(metadata.namespace) || 'default';
  return { group: version === undefined ? '' : (group ?? ''), kind, namespace, name };
}

function body(text: string): string {
  return `${text.replace(/\n\.\.\.\s*$/, '\n').trimEnd()}\n`;
}

/** Hidden files and directories are no input, as for the directory's watcher. */
async function listFiles(root: string, at: string): Promise<string[]> {
  const entries = await readdir(at, { withFileTypes: true });
  const found = await Promise.all(
    entries
      .filter(({ name }) => !name.startsWith('.') && name !== 'node_modules')
      .map(async (entry) => {
        const path = join(at, entry.name);
        if (entry.isDirectory()) return listFiles(root, path);
        return /\.(ya?ml|json)$/.test(entry.name) ? [relative(root, path)] : [];
      }),
  );
  return found.flat().sort();
}

/** Whoever watches the directory sees the old file or the new one, never half of one. */
async function writeWhole(path: string, text: string): Promise<void> {
  const beside = join(dirname(path), `.weft-${randomBytes(6).toString('hex')}.tmp`);
  try {
    await writeFile(beside, text);
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
