import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from '../base/log.ts';
import { refKey } from '../model/object-ref.ts';
import { type Catalog, catalogOf, emptyCatalog, eventsBetween } from './catalog.ts';
import { type AddressRange, addressRange } from './cluster-ips.ts';
import { readForm, type SeenFile, scanDirectory } from './directory-scan.ts';
import { watchFolders } from './folder-watch.ts';
import { type FileForm, type LocatedObject, locateField, readObjects, unreadFile } from './object-file.ts';
import { doubtTime, formsOf, nothingSettled, settle } from './settle.ts';
import type { LocatedProblem, Source, SourceEvent } from './types.ts';

/**
 * Where Kubernetes objects come from. Files come in; checked and completed objects go out, as events, with every
 * mistake as a problem that has a place. It knows what an API server knows of the kinds, and nothing of what they
 * mean to the mesh: whether a Service exists that a route names is for `resolve` to say.
 */
export type { LocatedObject };

/** Milliseconds: how often everything is looked at whatever the watches say, and how long one turn of reading lasts. */
const times = { rescan: 2000, turn: 8 } as const;

type DirectoryOptions = {
  readonly directory: string;
  /** IPv4 range that ClusterIPs come from, such as `10.96.0.0/16`. */
  readonly serviceCidr: string;
  readonly log: Logger;
};

/**
 * A directory of YAML and JSON files, with all folders below, as a cluster's API server would hold them: checked,
 * completed, with addresses. Follows edits, and never lets a mistake or a half-written file take away what runs.
 * Throws only for a range that is none.
 */
export function directorySource({ directory, serviceCidr, log }: DirectoryOptions): Source {
  const range = addressRange(serviceCidr);
  let catalog = emptyCatalog;
  return {
    events: (signal) =>
      follow({ directory, range, log, signal }, (next) => {
        catalog = next;
      }),
    locate: (ref, field) => {
      const live = catalog.live.get(refKey(ref));
      return live && locateField(live.source, field);
    },
  };
}

/** The objects of one text, YAML or JSON, as `directorySource` would see them but for ClusterIPs. Pure; never throws. */
export function parseObjects(
  text: string,
  file: string,
): { readonly objects: readonly LocatedObject[]; readonly problems: readonly LocatedProblem[] } {
  const { objects, problems } = readObjects(text, file);
  return { objects: objects.map(({ object, location }) => ({ object, location })), problems };
}

type Following = {
  readonly directory: string;
  readonly range: AddressRange;
  readonly log: Logger;
  readonly signal: AbortSignal;
};

async function* follow(
  { directory, range, log, signal }: Following,
  publish: (catalog: Catalog) => void,
): AsyncGenerator<readonly SourceEvent[]> {
  using watchers = watchFolders(log);
  const read = politely((file: SeenFile) => safely(log, file));
  let settled = nothingSettled;
  let catalog = emptyCatalog;
  for (let first = true; !signal.aborted; first = false) {
    const scan = scanDirectory(directory);
    // What changed in a folder before it was watched makes no event: look once more.
    const more = watchers.set(scan.folders);
    settled = await settle(settled, scan, { now: Date.now(), read });
    const next = catalogOf(formsOf(settled), catalog, range);
    const events = eventsBetween(catalog, next);
    catalog = next;
    publish(catalog);
    if (first) yield [...events, { kind: 'synced' }];
    else if (events.length > 0) yield events;
    if (!more) await watchers.change(doubtTime(settled, Date.now()) ?? times.rescan, signal);
  }
}

/** Reading many files goes on for seconds: everyone else gets a turn now and then. */
function politely<In, Out>(work: (input: In) => Out): (input: In) => Promise<Out> {
  let turn = performance.now();
  return async (input) => {
    if (performance.now() - turn > times.turn) {
      await nextTurn();
      turn = performance.now();
    }
    return work(input);
  };
}

/** A file that we fail on is our mistake, and costs that file only. */
function safely(log: Logger, file: SeenFile): FileForm {
  try {
    return readForm(file);
  } catch (error) {
    log.error('could not check a file', {
      file: file.file,
      error: error instanceof Error ? error.stack : error,
    });
    const fix = 'please report it, with the file';
    return unreadFile(file.file, { says: 'made Weft fail', fix });
  }
}
