import { readdirSync, readFileSync, statSync } from 'node:fs';
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

/** One look at a directory, files by path. Sets `unreadable` when not even the top could be listed. */
export type Scan = {
  readonly files: ReadonlyMap<string, SeenFile>;
  /** Things that are no files to read, and why. */
  readonly refused: readonly FileForm[];
  /** Inodes of folders, by path. */
  readonly folders: ReadonlyMap<string, string>;
  readonly unreadable?: FileForm;
};

const limits = { fileSize: 2 ** 20, entries: 20_000, depth: 32 } as const;
const extensions = /\.(ya?ml|json)$/i;

/** Looks at every `.yaml`, `.yml` and `.json` file; hidden ones and `node_modules` are nobody's manifests. Never throws. */
export function scanDirectory(directory: string): Scan {
  const files = new Map<string, SeenFile>();
  const refused: FileForm[] = [];
  const folders = new Map<string, string>();
  const found: Found = { files, refused, folders };
  try {
    const { dev, ino } = statSync(directory);
    walk(directory, [`${dev}:${ino}`], found, readdirSync(directory));
  } catch (error) {
    const fix = 'make the directory, or start with another one';
    const unreadable = unreadFile(directory, { says: `cannot be listed (${codeOf(error)})`, fix });
    return { files, refused, folders, unreadable };
  }
  return { files, refused, folders };
}

type Found = {
  readonly files: Map<string, SeenFile>;
  readonly refused: FileForm[];
  readonly folders: Map<string, string>;
};

/** `above` holds the folders on the way here, so that a link back to one of them is seen. */
function walk(folder: string, above: readonly string[], found: Found, names: readonly string[]): void {
  found.folders.set(folder, above.at(-1) ?? '');
  for (const name of names) {
    if (name.startsWith('.') || name === 'node_modules') continue;
    if (found.files.size + found.folders.size >= limits.entries) return;
    look(join(folder, name), above, found);
  }
}

function look(path: string, above: readonly string[], found: Found): void {
  const readable = extensions.test(path);
  const refuse = (says: string, fix: string): void => {
    found.refused.push(unreadFile(path, { says, fix }));
  };
  try {
    const stat = statSync(path, { bigint: true });
    const inode = `${stat.dev}:${stat.ino}`;
    if (stat.isDirectory()) {
      if (above.includes(inode)) refuse('is a link back to a folder above it', 'remove the link');
      else if (above.length >= limits.depth)
        refuse(`is more than ${limits.depth} folders deep`, 'move it up');
      else walk(path, [...above, inode], found, readdirSync(path));
    } else if (readable && !stat.isFile()) {
      refuse('is not a regular file', 'remove it, or give it another name');
    } else if (readable) {
      const stamp = [inode, stat.size, stat.mtimeNs, stat.ctimeNs].join(' ');
      found.files.set(path, {
        file: path,
        stamp,
        inode,
        changed: Number(stat.ctimeMs),
        size: Number(stat.size),
      });
    }
  } catch (error) {
    const code = codeOf(error);
    // What is gone since it was listed is gone; a link to nothing stays listed.
    if (code === 'ELOOP') refuse('is a link that leads back to itself', 'remove the link');
    else if (code === 'ENOENT' && readable) refuse('is a link to nothing', 'remove the link');
    else if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      refuse(`cannot be read (${code})`, 'check its permissions');
    }
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
    const fix = 'check its permissions';
    return unreadFile(file, { says: `cannot be read (${codeOf(error)})`, fix });
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
