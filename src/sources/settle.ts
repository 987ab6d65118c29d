import { dirname } from 'node:path';
import { deepEqual } from '../base/content.ts';
import type { Scan, SeenFile } from './directory-scan.ts';
import { type FileForm, vanishedFile } from './object-file.ts';

/**
 * Decides when a change in a directory is to be believed. Files are written by editors, shells and `git`, none of
 * which asks whether anyone reads: a look in between sees files that are empty, cut off, or not there.
 */
export type Settled = {
  /** What is believed, by path. */
  readonly files: ReadonlyMap<string, Belief>;
  /** Seen but not yet believed. */
  readonly doubts: ReadonlyMap<string, Belief>;
  /** When a file that is believed to be there was first missed. */
  readonly missing: ReadonlyMap<string, number>;
  /** Believed as they were, because they, or a folder above, cannot be looked at. */
  readonly kept: ReadonlySet<string>;
  readonly refused: readonly FileForm[];
};
type Belief = {
  readonly seen: SeenFile;
  readonly form: FileForm;
  /** Keys of the objects that live because of this file, also those that do as a last good form. */
  readonly keys: ReadonlySet<string>;
  /** When this content was first seen, and when it was last read; milliseconds. */
  readonly since: number;
  readonly read: number;
};

export const nothingSettled: Settled = {
  files: new Map(),
  doubts: new Map(),
  missing: new Map(),
  kept: new Set(),
  refused: [],
};

/** A file written in place that looks unfinished is believed once it has been left alone this long, in milliseconds. */
export const quietTime = 300;
/** A file that is missing is believed to be gone after this long: `git checkout` and some editors remove before they write. */
export const goneTime = 50;
/** But no sooner than new files have settled, under whose names its objects may turn up; and no later than this. */
const goneAtLast = 2000;
/** File times have the kernel's coarse clock: a file that changed more recently may change again under the same stamp. */
const stampTime = 50;

/** Takes in one look. `read` is called for files that may have changed; `first` says that nothing was known before. */
export async function settle(
  before: Settled,
  scan: Scan,
  { now, read }: { readonly now: number; readonly read: (file: SeenFile) => Promise<FileForm> },
): Promise<Settled> {
  const first = before === nothingSettled;
  const files = new Map<string, Belief>();
  const doubts = new Map<string, Belief>();
  for (const [path, seen] of scan.files) {
    const known = before.files.get(path);
    const latest = await look(before.doubts.get(path) ?? known, seen, { now, read });
    if (first || isBelievable(known, latest, now)) {
      files.set(path, latest === known ? known : believed(known, latest));
    } else {
      doubts.set(path, latest);
      if (known) files.set(path, known);
    }
  }
  const patience = [...doubts.keys()].some((path) => !files.has(path)) ? goneAtLast : goneTime;
  const { kept, missing } = unseen(before, scan, { now, patience });
  for (const [path, belief] of before.files) {
    if (kept.has(path) || missing.has(path)) files.set(path, belief);
  }
  return { files, doubts, missing, kept, refused: scan.refused };
}

/** Of the files that were believed and not seen now: those that nobody could look for, and those not yet given up. */
function unseen(
  before: Settled,
  scan: Scan,
  { now, patience }: { readonly now: number; readonly patience: number },
): Pick<Settled, 'kept' | 'missing'> {
  const refused = new Set(scan.refused.map(({ file }) => file));
  const kept = new Set<string>();
  const missing = new Map<string, number>();
  for (const path of before.files.keys()) {
    if (scan.files.has(path)) continue;
    const since = before.missing.get(path) ?? now;
    if (isAtOrBelow(path, refused)) kept.add(path);
    else if (now - since < patience) missing.set(path, since);
  }
  return { kept, missing };
}

function isAtOrBelow(path: string, places: ReadonlySet<string>): boolean {
  if (places.size === 0) return false;
  const above = dirname(path);
  return places.has(path) || (above !== path && isAtOrBelow(above, places));
}

/** The forms that count now. */
export function formsOf({ files, missing, refused }: Settled): ReadonlyMap<string, FileForm> {
  const forms = [...files].map(([path, { form }]): [string, FileForm] => [
    path,
    missing.has(path) ? vanishedFile(form) : form,
  ]);
  return new Map([...forms, ...refused.map((form): [string, FileForm] => [form.file, form])]);
}

/** How long until looking again can settle a doubt; `undefined` when there is none. */
export function doubtTime({ files, doubts, missing, kept }: Settled, now: number): number | undefined {
  const waits = [
    ...[...doubts.values()].map(({ since }) => since + quietTime - now),
    ...[...missing.values()].map((since) => since + goneTime - now),
    ...[...files.values()]
      .filter((belief) => isFresh(belief) && !kept.has(belief.seen.file))
      .map(({ seen }) => seen.changed + stampTime - now),
  ];
  return waits.length === 0 ? undefined : Math.max(1, Math.min(...waits, quietTime));
}

type Look = { readonly now: number; readonly read: (file: SeenFile) => Promise<FileForm> };

async function look(known: Belief | undefined, seen: SeenFile, { now, read }: Look): Promise<Belief> {
  const same = known?.seen.stamp === seen.stamp && !known.form.again;
  if (same && !(isFresh(known) && now >= seen.changed + stampTime)) return known;
  const form = await read(seen);
  // A file that was only touched, or read once more to be sure, is the same file.
  if (known && isUnchanged(known.form, form)) {
    return { ...known, seen, read: now };
  }
  return { seen, form, keys: new Set(form.objects.map(({ key }) => key)), since: now, read: now };
}

function isUnchanged(before: FileForm, after: FileForm): boolean {
  if (after.again) return deepEqual(before, after);
  return after.text !== '' && after.text === before.text;
}

function believed(known: Belief | undefined, latest: Belief): Belief {
  const { form, keys } = latest;
  const kept = [...(known?.keys ?? [])].filter((key) => form.uncertain || form.broken.includes(key));
  return { ...latest, keys: new Set([...keys, ...kept]) };
}

/** Was it read so soon after its last change that its stamp proves nothing? */
function isFresh({ seen, read }: Belief): boolean {
  return read < seen.changed + stampTime;
}

function isBelievable(known: Belief | undefined, latest: Belief, now: number): boolean {
  if (known === latest || now - latest.since >= quietTime) return true;
  const { form } = latest;
  if (!known) return !form.uncertain;
  // Another file took its place: it was written elsewhere and moved here whole.
  if (known.seen.inode !== latest.seen.inode && !form.uncertain) return true;
  const written = new Set([...latest.keys, ...form.broken]);
  const loses = [...known.keys].some((key) => !written.has(key));
  return !loses && !form.uncertain && form.text.endsWith('\n');
}
