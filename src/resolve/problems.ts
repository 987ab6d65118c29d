import { nearestWord } from '../base/nearest.ts';
import type { ObjectRef } from '../model/object-ref.ts';
import type { Problem, ProblemCode } from '../model/problem.ts';

/**
 * The codes that this room gives, with the reason that a condition shows. Gateway API's own word where it has one.
 * An `error` means: the field does not do what it says, and its safe substitute stands in (500, deny, left out).
 * A `warning` means: it works, but hardly as meant. An error whose field is `''` refuses the whole object.
 */
const reasons: Partial<Record<ProblemCode, string>> = {
  'WEFT-1101': 'UnsupportedValue',
  'WEFT-1201': 'BackendNotFound',
  'WEFT-1202': 'BackendNotFound',
  'WEFT-1203': 'SubsetNotFound',
  'WEFT-1204': 'InvalidKind',
  'WEFT-1205': 'NoWeight',
  'WEFT-1206': 'InvalidRegularExpression',
  'WEFT-1207': 'Conflicted',
  'WEFT-1208': 'UnreachableRule',
  'WEFT-1209': 'InvalidValue',
  'WEFT-1210': 'SelectsNothing',
  'WEFT-1211': 'UnsupportedProtocol',
  'WEFT-1212': 'InvalidPattern',
};

/** Where, what and why, and what to do next. `reason` only where the code's own does not fit. */
export type Finding = {
  readonly field: string;
  readonly message: string;
  readonly fix: string;
  readonly reason?: string;
};

/** Collects what is wrong with one object. */
export type Report = {
  readonly problems: readonly Problem[];
  readonly error: (code: ProblemCode, finding: Finding) => void;
  readonly warning: (code: ProblemCode, finding: Finding) => void;
};

export function createReport(ref: ObjectRef): Report {
  const problems: Problem[] = [];
  const add =
    (severity: Problem['severity']) =>
    (code: ProblemCode, { field, message, fix, reason = reasons[code] ?? 'Invalid' }: Finding): void => {
      problems.push({ code, severity, reason, message, fix, ref, field });
    };
  return { problems, error: add('error'), warning: add('warning') };
}

/** The report on each of many objects, by ref: for what only shows when several are seen together. */
export function createReports(): { readonly on: (ref: ObjectRef) => Report; readonly all: () => Problem[] } {
  const reports = new Map<ObjectRef, Report>();
  return {
    on: (ref) => {
      const report = reports.get(ref) ?? createReport(ref);
      reports.set(ref, report);
      return report;
    },
    all: () => [...reports.values()].flatMap((report) => report.problems),
  };
}

type Instead = { readonly why?: string; readonly instead?: string };

/** A part of an API that Weft does not have yet: what happens instead, and why where that helps. */
export function unsupported(field: string, { why = '', instead = 'it was left out' }: Instead = {}): Finding {
  const name = field.slice(field.lastIndexOf('.') + 1);
  return {
    field,
    message: `\`${name}\` is not supported yet, so ${instead}${why === '' ? '' : `: ${why}`}`,
    fix: 'remove the field; README lists what is read today',
  };
}

export function didYouMean(name: string, candidates: Iterable<string>): string {
  const word = nearestWord(name, candidates);
  return word === undefined ? '' : `; did you mean \`${word}\`?`;
}
