import { type BigIntStats, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type FileForm, readObjects, unreadFile } from './object-file.ts';

/** A file that may hold objects. `stamp` changes whenever its content may have; `inode` when another file took its place. */
export type SeenFile = {
  readonly file: string;
  readonly stamp: string;
  readonly inode: string;
  /** Milliseconds since the epoch. */
  readonly changed: number;
  readonly size: number;
};

/** One look at a directory, files by path. */
export type Scan = {
  readonly files: ReadonlyMap<string, SeenFile>;
  /** What could not be looked at, or into, and why. It says nothing about files there or below: they may still be. */
  readonly refused: readonly FileForm[];
  /** Inodes of folders, by path. */
  readonly folders: ReadonlyMap<string, string>;
};

const limits = { fileSize: 2 ** 20, entries: 20_000, depth: 32 } as const;
const extensions = /\.(ya?ml|json)$/i;

/** Looks at every `.yaml`, `.yml` and `.json` file; hidden ones and `node_modules` are nobody's manifests. Never throws. */
export function scanDirectory(directory: string, limit: number = limits.entries): Scan {
  const found: Found = { files: new Map(), refused: [], folders: new Map(), limit, full: false };
  try {
    const { dev, ino } = statSync(directory);
    walk(directory, [`${dev}:${ino}`], found, readdirSync(directory));
  } catch (error) {
    refuse(found, directory, unlisted(codeOf(error)));
  }
  if (found.full) {
    const says = `holds more than ${limit} files and folders; those beyond are not read, and what was read before stays`;
    refuse(found, directory, {
      says,
      fix: 'move what is no manifest elsewhere, or start with a folder below',
    });
  }
  return found;
}

/** What is found on one walk, as it is found. */
type Found = {
  readonly files: Map<string, SeenFile>;
  readonly refused: FileForm[];
  readonly folders: Map<string, string>;
  readonly limit: number;
  /** Something was left out because there is too much. */
  full: boolean;
};
type Refusal = { readonly says: string; readonly fix: string };

function refuse(found: Found, path: string, why: Refusal): void {
  found.refused.push(unreadFile(path, why));
}

/** `above` holds the folders on the way here, so that a link back to one of them is seen. */
function walk(folder: string, above: readonly string[], found: Found, names: readonly string[]): void {
  found.folders.set(folder, above.at(-1) ?? '');
  for (const name of names) {
    if (name.startsWith('.') || name === 'node_modules') continue;
    if (found.files.size + found.folders.size >= found.limit) found.full = true;
    if (found.full) return;
    look(join(folder, name), above, found);
  }
}

function look(path: string, above: readonly string[], found: Found): void {
  const readable = extensions.test(path);
  try {
    const stat = statSync(path, { bigint: true });
    if (stat.isDirectory()) enter(path, { above, inode: inodeOf(stat) }, found);
    else if (readable && stat.isFile()) found.files.set(path, seenFile(path, stat));
    else if (readable) {
      refuse(found, path, { says: 'is not a regular file', fix: 'remove it, or give it another name' });
    }
  } catch (error) {
    const code = codeOf(error);
    const fix = 'remove the link';
    // What is gone since it was listed is gone; a link to nothing stays listed.
    if (code === 'ELOOP') refuse(found, path, { says: 'is a link that leads back to itself', fix });
    else if (code === 'ENOENT' && readable) refuse(found, path, { says: 'is a link to nothing', fix });
    else if (!isGone(code)) refuse(found, path, { says: `cannot be read (${code})`, fix: fixOf(code) });
  }
}

type Way = { readonly above: readonly string[]; readonly inode: string };

function enter(folder: string, { above, inode }: Way, found: Found): void {
  if (above.includes(inode)) {
    refuse(found, folder, { says: 'is a link back to a folder above it', fix: 'remove the link' });
    return;
  }
  if (above.length >= limits.depth) {
    refuse(found, folder, { says: `is more than ${limits.depth} folders deep`, fix: 'move it up' });
    return;
  }
  try {
    walk(folder, [...above, inode], found, readdirSync(folder));
  } catch (error) {
    // Only the listing throws: whatever is below has been looked at by then.
    const code = codeOf(error);
    if (!isGone(code)) refuse(found, folder, unlisted(code));
  }
}

function seenFile(file: string, stat: BigIntStats): SeenFile {
  const inode = inodeOf(stat);
  const stamp = [inode, stat.size, stat.mtimeNs, stat.ctimeNs].join(' ');
  return { file, stamp, inode, changed: Number(stat.ctimeMs), size: Number(stat.size) };
}

function inodeOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

function isGone(code: string): boolean {
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function unlisted(code: string): Refusal {
  const fix = isGone(code) ? 'make the directory, or start with another one' : fixOf(code);
  return { says: `cannot be listed (${code}); what was read below it before stays`, fix };
}

function fixOf(code: string): string {
  switch (code) {
    case 'EMFILE':
    case 'ENFILE':
      return 'raise the number of open files (ulimit -n), or close other programs';
    case 'EIO':
    case 'ESTALE':
      return 'check the disk or the mount that it is on';
    default:
      return 'check its permissions';
  }
}

/** Reads and checks one file. Never throws. */
export function readForm({ file, size }: SeenFile): FileForm {
  if (size > limits.fileSize) return tooLarge(file, size);
  try {
    const bytes = readFileSync(file);
    if (bytes.length > limits.fileSize) return tooLarge(file, bytes.length);
    return formOf(bytes, file);
  } catch (error) {
    const code = codeOf(error);
    const says = `cannot be read (${code})`;
    return { ...unreadFile(file, { says, fix: fixOf(code) }), again: true };
  }
}

function tooLarge(file: string, size: number): FileForm {
  const says = `has ${size} bytes, more than ${limits.fileSize}`;
  return unreadFile(file, { says, fix: 'split it into smaller files' });
}

/** The objects of a file's bytes, which must be UTF-8 text. */
export function formOf(bytes: Uint8Array, file: string): FileForm {
  const text = decode(bytes);
  if (text !== undefined) return readObjects(text, file);
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  const says = utf16 ? 'it is UTF-16' : 'it is not UTF-8 text';
  return unreadFile(file, { code: 'WEFT-1001', says, fix: 'save it as UTF-8', line: badLine(bytes) });
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? undefined : text;
  } catch {
    // Only bytes that are not UTF-8 end up here.
    return undefined;
  }
}

function badLine(bytes: Uint8Array): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline;
    if (decode(bytes.subarray(start, end)) === undefined) return line;
    start = end + 1;
  }
  return 1;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
