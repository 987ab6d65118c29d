import type { FileLocation } from '../admin/types.ts';
import { showRef } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import type { Style } from './style.ts';

export type ShownProblem = Problem & { readonly location?: FileLocation };

/** Where and what on one line, what to do on the next. */
export function showProblem(problem: ShownProblem, style: Style): readonly string[] {
  const { severity, location, code, ref, message, fix } = problem;
  const mark = severity === 'error' ? `${style.mark('fail')} error` : `${style.mark('warn')} warning`;
  const where = location ? `${location.file}:${location.line}:${location.column} ` : '';
  const who = ref.kind === '' || ref.name === '' ? '' : `${showRef(ref)}: `;
  return [`${mark} ${where}${code} ${who}${message}`, `    fix: ${fix}`];
}

/** The same mistake in many places is one line of news: at most three are shown in full. */
export function groupProblems(
  problems: readonly ShownProblem[],
): ReadonlyMap<string, readonly ShownProblem[]> {
  return Map.groupBy(problems, ({ code, severity }) => `${severity === 'error' ? 0 : 1} ${code}`);
}
