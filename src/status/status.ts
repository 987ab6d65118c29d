/**
 * Turns what is known of an object into its conditions. In come the problems that sources, resolve and translate
 * found, and how far each proxy has applied what the object shaped (the ledger keeps count); out come `Accepted`,
 * `ResolvedRefs` and `Programmed` in Kubernetes' form. It writes nothing and owns no clock.
 */
import type { Condition, ConditionType, ObjectStatus, ParentStatus } from '../model/condition.ts';
import type { ObjectRef } from '../model/object-ref.ts';
import type { Problem, ProblemCode } from '../model/problem.ts';
import type { Applied } from './ledger.ts';

export type { ProxyProgress } from './ledger.ts';
export { type Applied, type AppliedFact, type AppliedLedger, createAppliedLedger } from './ledger.ts';

export const controllerName = 'weft.dev/controller';

export type StatusInput = {
  readonly ref: ObjectRef;
  /** Of the newest form that a source has seen. */
  readonly generation: number;
  /** Problems of this object only. */
  readonly problems: readonly Problem[];
  readonly applied: Applied;
  /** False when no form of the object ever passed: then nothing of it is live. */
  readonly live: boolean;
  /** `spec.parentRefs` of an HTTPRoute. */
  readonly parentRefs?: readonly Readonly<Record<string, unknown>>[];
  /** What was said before; its transition times are kept where the answer is the same. */
  readonly previous?: ObjectStatus;
  /** RFC 3339. */
  readonly now: string;
};

type Verdict = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** Deterministic: the same input gives the same conditions, in the same order. */
export function conditions(input: StatusInput): ObjectStatus {
  const accepted = judge(input, 'Accepted', 'the object is accepted');
  const resolved = judge(input, 'ResolvedRefs', 'everything it refers to exists');
  const verdicts = [accepted, resolved, programmed(input, accepted.status === 'True')];
  const all = verdicts.map((verdict) => dated(verdict, input));
  if (input.ref.kind !== 'HTTPRoute') return { conditions: all };
  return { conditions: all, parents: parents(input.parentRefs ?? [], all) };
}

/** Which question a problem answers with no. A missing backend never makes a route unaccepted. */
const questions: Readonly<Record<ProblemCode, ConditionType>> = {
  'WEFT-1001': 'Accepted',
  'WEFT-1002': 'Accepted',
  'WEFT-1003': 'Accepted',
  'WEFT-1004': 'Accepted',
  'WEFT-1005': 'Accepted',
  'WEFT-1006': 'Accepted',
  'WEFT-1007': 'Accepted',
  'WEFT-1008': 'Accepted',
  'WEFT-1009': 'Accepted',
  'WEFT-1101': 'Accepted',
  'WEFT-1201': 'ResolvedRefs',
  'WEFT-1202': 'ResolvedRefs',
  'WEFT-1203': 'ResolvedRefs',
  'WEFT-1204': 'ResolvedRefs',
  'WEFT-1205': 'Accepted',
  'WEFT-1206': 'Accepted',
  'WEFT-1207': 'Accepted',
  'WEFT-1208': 'Accepted',
  'WEFT-1209': 'Accepted',
  'WEFT-1210': 'Accepted',
  'WEFT-1211': 'Accepted',
  'WEFT-1212': 'Accepted',
  'WEFT-1213': 'Programmed',
  'WEFT-1301': 'Programmed',
  'WEFT-1302': 'Accepted',
};

/** A form with such a problem never got in. That the one before it stays live, if there was one, the source has said. */
const refusedBySource = /^WEFT-10/;

/** A parent that is not there is Gateway API's one missing reference that makes a route unaccepted. */
function questionOf({ code, reason }: Problem): ConditionType {
  return reason === 'NoMatchingParent' ? 'Accepted' : questions[code];
}

/** Whether the problem keeps its object from being accepted. */
export function isRefusal(problem: Problem): boolean {
  return problem.severity === 'error' && questionOf(problem) === 'Accepted';
}

function judge(input: StatusInput, type: 'Accepted' | 'ResolvedRefs', yes: string): Verdict {
  const mine = input.problems.filter((problem) => questionOf(problem) === type);
  const errors = mine.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  if (!first) return { type, status: 'True', reason: type, message: withWarnings(yes, mine) };
  const message = listed(errors.map((problem) => problem.message));
  const dead = !input.live && errors.some(({ code }) => refusedBySource.test(code));
  return {
    type,
    status: 'False',
    reason: first.reason,
    message: dead ? `${message}; nothing of it is live` : message,
  };
}

function withWarnings(yes: string, warnings: readonly Problem[]): string {
  if (warnings.length === 0) return yes;
  return `${yes}; warning: ${listed(warnings.map(({ message }) => message))}`;
}

/** Kinds whose whole meaning lies left of the proxies. */
const shapeless: readonly string[] = ['Namespace', 'ServiceAccount', 'Deployment'];

function programmed(input: StatusInput, accepted: boolean): Verdict {
  const { applied, ref, problems } = input;
  const failed = problems.filter((p) => questions[p.code] === 'Programmed' && p.severity === 'error');
  const [first] = failed;
  const type = 'Programmed';
  const count = `applied on ${applied.acked} of ${applied.total} proxies`;
  if (applied.rejected.length > 0) {
    const who = listed(applied.rejected.map(({ workload, message }) => `${workload} rejected: ${message}`));
    return { type, status: 'False', reason: 'Rejected', message: `${count}; ${who}` };
  }
  if (first) {
    return { type, status: 'False', reason: first.reason, message: listed(failed.map((p) => p.message)) };
  }
  if (!input.live) {
    return {
      type,
      status: 'False',
      reason: 'NotAccepted',
      message: 'not applied: no form was ever accepted',
    };
  }
  if (applied.pending.length > 0) {
    const message = `${count}; waiting for ${listed(applied.pending)}`;
    return { type, status: 'Unknown', reason: 'Pending', message };
  }
  if (applied.total > 0) {
    return { type, status: 'True', reason: type, message: accepted ? count : `${count}, as last accepted` };
  }
  return shapeless.includes(ref.kind)
    ? { type, status: 'True', reason: 'NoProxyResource', message: `a ${ref.kind} shapes no proxy resource` }
    : { type, status: 'True', reason: 'NoProxyAffected', message: 'no proxy needs it now' };
}

/** At most three, then how many more: a condition is read by people. */
function listed(items: readonly string[]): string {
  const shown = items.slice(0, 3).join('; ');
  return items.length > 3 ? `${shown}; and ${items.length - 3} more` : shown;
}

function dated(verdict: Verdict, { generation, previous, now }: StatusInput): Condition {
  const before = previous?.conditions.find(({ type }) => type === verdict.type);
  const lastTransitionTime = before?.status === verdict.status ? before.lastTransitionTime : now;
  return { ...verdict, observedGeneration: generation, lastTransitionTime };
}

/** Entries for Services only: a parent of another kind belongs to another controller. */
function parents(
  refs: readonly Readonly<Record<string, unknown>>[],
  all: readonly Condition[],
): readonly ParentStatus[] {
  return refs
    .filter((parentRef) => parentRef.kind === 'Service')
    .map((parentRef) => ({
      parentRef,
      controllerName,
      conditions: all.filter(({ type }) => type !== 'Programmed'),
    }));
}
