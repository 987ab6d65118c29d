import type { ObjectEntry, ProblemEntry } from '../admin/types.ts';
import { problemLine } from '../cli/cli.ts';
import { refKey, refOf, showRef } from '../model/object-ref.ts';

/** What the control plane shows at one moment. */
export type Observed = {
  readonly objects: readonly ObjectEntry[];
  readonly problems: readonly ProblemEntry[];
};
/** A line for a person. */
export type Change = { readonly mark: 'ok' | 'warn' | 'fail'; readonly text: string };
export type News = {
  readonly changes: readonly Change[];
  /** Nothing more is to come of what was seen. */
  readonly settled: boolean;
};

/** One object of the user's, as it was seen last. */
type Seen = {
  readonly file: string;
  readonly name: string;
  readonly content: string;
  /** Counts its forms. */
  readonly version: number;
  /** Its form is new, and how it fared is not told yet. */
  readonly awaited: boolean;
};
type Told = { readonly problem: ProblemEntry; readonly version: number };

/**
 * Compares one look with the next. The first only says how things were; after it, each new form of an object, each problem and
 * each end of one is a line, told once it has stood for two looks: what comes and goes while a change spreads is no news.
 */
export function createChanges(): (now: Observed) => News {
  let objects: ReadonlyMap<string, Seen> | undefined;
  let before: ReadonlyMap<string, ProblemEntry> = new Map();
  const told = new Map<string, Told>();
  return (now) => {
    const isFirst = objects === undefined;
    const seen = seenObjects(now.objects, objects);
    const problems = new Map(
      now.problems.filter(isTheUsers).map((problem) => [keyOf(problem, seen), problem]),
    );
    const versionOf = ({ ref }: ProblemEntry): number => seen.get(refKey(ref))?.version ?? 0;
    const fresh = [...problems].filter(([key]) => !told.has(key) && (isFirst || before.has(key)));
    const gone = [...told].filter(([key]) => !problems.has(key) && !before.has(key));
    for (const [key, problem] of fresh) told.set(key, { problem, version: versionOf(problem) });
    for (const [key, { problem }] of gone)
      if (!isCrash(problem) || !seen.has(refKey(problem.ref))) told.delete(key);

    const fared = isFirst ? [] : faredObjects(now.objects, seen, objects);
    const solved = gone
      .map(([, entry]) => entry)
      .filter(({ problem, version }) => version === versionOf(problem));
    const changes: Change[] = [
      ...fared.map(({ change }) => change),
      ...(isFirst ? [] : goneObjects(seen, objects)),
      ...(isFirst ? [] : fresh.map(([, problem]) => problemChange(problem))),
      ...solved.filter(({ problem }) => !isCrash(problem)).map(({ problem }) => solvedChange(problem)),
    ];
    const done = new Set(fared.map(({ key }) => key));
    objects = new Map([...seen].map(([key, one]) => [key, done.has(key) ? { ...one, awaited: false } : one]));
    const settled =
      [...objects.values()].every(({ awaited }) => !awaited) &&
      [...problems.keys()].every((key) => told.has(key)) &&
      [...told].every(([key, { problem }]) => problems.has(key) || isCrash(problem));
    before = problems;
    return { changes: changes.filter(({ text }) => text !== ''), settled };
  };
}

function seenObjects(
  entries: readonly ObjectEntry[],
  before: ReadonlyMap<string, Seen> | undefined,
): ReadonlyMap<string, Seen> {
  return new Map(
    entries.flatMap(({ object, location }): [string, Seen][] => {
      if (location === undefined) return [];
      const ref = refOf(object);
      const { status: _, metadata, ...rest } = object;
      const content = JSON.stringify([rest, { ...metadata, generation: 0 }]);
      const last = before?.get(refKey(ref));
      const isNew = before !== undefined && last?.content !== content;
      return [
        [
          refKey(ref),
          {
            file: location.file,
            name: showRef(ref),
            content,
            version: (last?.version ?? 0) + (isNew ? 1 : 0),
            awaited: isNew || (last?.awaited ?? false),
          },
        ],
      ];
    }),
  );
}

/** New forms that have come where they belong, or will not; in their second look at the earliest. */
function faredObjects(
  entries: readonly ObjectEntry[],
  seen: ReadonlyMap<string, Seen>,
  before: ReadonlyMap<string, Seen> | undefined,
): readonly { readonly key: string; readonly change: Change }[] {
  return entries.flatMap(({ object }) => {
    const key = refKey(refOf(object));
    const [now, last] = [seen.get(key), before?.get(key)];
    const programmed = object.status.conditions.find(({ type }) => type === 'Programmed');
    if (now === undefined || !now.awaited || now.version !== last?.version) return [];
    if (programmed === undefined || programmed.status === 'Unknown') return [];
    return [{ key, change: faredChange(now, programmed) }];
  });
}

function faredChange(
  { file, name }: Seen,
  { status, reason, message }: { readonly status: string; readonly reason: string; readonly message: string },
): Change {
  if (status === 'True') {
    const how = { NoProxyResource: 'accepted', NoProxyAffected: `accepted; ${message}` }[reason] ?? message;
    return { mark: 'ok', text: `${file}: ${name} ${how}` };
  }
  // Any other reason is a problem, which is told as one.
  return { mark: 'fail', text: reason === 'Rejected' ? `${file}: ${name} ${message}` : '' };
}

function goneObjects(
  seen: ReadonlyMap<string, Seen>,
  before: ReadonlyMap<string, Seen> = new Map(),
): readonly Change[] {
  return [...before]
    .filter(([key]) => !seen.has(key))
    .map(([, { file, name }]) => ({ mark: 'ok', text: `${file}: ${name} is gone` }));
}

/** A pod's own problem is told of what asked for it. */
function isTheUsers({ ref, location }: ProblemEntry): boolean {
  return location !== undefined || ref.kind !== 'Pod';
}

/** An app that crashes again and again is told of once for each form of its object, whatever it says each time. */
function isCrash({ code, severity }: ProblemEntry): boolean {
  return code === 'WEFT-1213' && severity === 'error';
}

function keyOf(problem: ProblemEntry, seen: ReadonlyMap<string, Seen>): string {
  const { code, ref, field, message } = problem;
  const what = isCrash(problem) ? seen.get(refKey(ref))?.version : `${field} ${message.replace(/\d+/g, '')}`;
  return `${code} ${refKey(ref)} ${what}`;
}

function problemChange(problem: ProblemEntry): Change {
  const mark = problem.severity === 'error' ? 'fail' : 'warn';
  return { mark, text: `${problemLine(problem)}${isCrash(problem) ? `: ${problem.fix}` : ''}` };
}

function solvedChange({ ref, code, location }: ProblemEntry): Change {
  const where = location === undefined ? '' : `${location.file}: `;
  return { mark: 'ok', text: `${where}${showRef(ref)} has ${code} no more` };
}
