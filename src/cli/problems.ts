import type { FileLocation } from '../admin/types.ts';
import { showRef } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import type { Style } from './style.ts';

export type ShownProblem = Problem & { readonly location?: FileLocation };

/** Where and what on one line, what to do on the next. */
export function showProblem(problem: ShownProblem, style: Style): readonly string[] {
  const severity =
    problem.severity === 'error' ? `${style.mark('fail')} error` : `${style.mark('warn')} warning`;
  return [`${severity} ${problemLine(problem)}`, style.hint(`    fix: ${problem.fix}`)];
}

/** `campus.yaml:41:15 WEFT-1201 HTTPRoute campus/pay-routes: …` */
export function problemLine({ location, code, ref, message }: ShownProblem): string {
  const where = location ? `${location.file}:${location.line}:${location.column} ` : '';
  const who = namesItsSubject.test(code) ? '' : `${showRef(ref)}: `;
  return `${where}${code} ${who}${location ? withoutFile(message, location.file) : message}`;
}

/** `/mesh/tab.yaml is not YAML: …` to `not YAML: …`: where it is stands before it already. */
function withoutFile(message: string, file: string): string {
  const [whole = '', path = ''] = /^(.*?)(?: is (?=not YAML)|: )/.exec(message) ?? [];
  return path === file || path.endsWith(`/${file}`) ? message.slice(whole.length) : message;
}

/** What a source says begins with the object or file it is about. */
const namesItsSubject = /^WEFT-10/;

/** The same mistake in many places is one line of news: at most three are shown in full. */
export function groupProblems(
  problems: readonly ShownProblem[],
): ReadonlyMap<string, readonly ShownProblem[]> {
  return Map.groupBy(problems, ({ code, severity }) => `${severity === 'error' ? 0 : 1} ${code}`);
}
