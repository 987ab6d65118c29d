import type { HttpMatch, NamedMatch, PathMatch } from '../model/traffic.ts';
import type { HTTPNamedMatch, HTTPRouteMatch } from '../sources/specs-gateway.ts';
import { orElse } from './fields.ts';
import type { Report } from './problems.ts';
import { checkRegex } from './regex.ts';
import type { RuleDraft } from './rule.ts';

/** A match with a bad regular expression is dropped, as in the spec; the others go on, and what none takes gets 404. */
export function readMatches(matches: readonly HTTPRouteMatch[], report: Report, field: string): HttpMatch[] {
  return orElse(matches, everything).flatMap((match, i) => readMatch(match, report, `${field}[${i}]`) ?? []);
}

const everything: HTTPRouteMatch = { path: { type: 'PathPrefix', value: '/' } };

function readMatch(match: HTTPRouteMatch, report: Report, field: string): HttpMatch | undefined {
  const { path, method, headers = [], queryParams = [] } = match;
  const isRegex = path.type === 'RegularExpression';
  const good = [
    !isRegex || checkRegex(path.value, report, `${field}.path.value`),
    ...checkNamed(headers, report, `${field}.headers`),
    ...checkNamed(queryParams, report, `${field}.queryParams`),
  ];
  if (good.includes(false)) return undefined;
  return {
    path: readPath(path),
    ...(method === undefined ? {} : { method: { kind: 'exact', value: method } }),
    headers: readNamed(headers, (name) => name.toLowerCase()),
    query: readNamed(queryParams, (name) => name),
  };
}

const pathKinds = { Exact: 'exact', PathPrefix: 'pathPrefix', RegularExpression: 'regex' } as const;

/** A prefix goes by path elements, so a slash at its end says nothing. */
function readPath({ type, value }: HTTPRouteMatch['path']): PathMatch {
  const kind = pathKinds[type];
  const trimmed = kind === 'pathPrefix' && value.length > 1 ? value.replace(/\/+$/, '') || '/' : value;
  return { kind, value: trimmed, ignoreCase: false };
}

function checkNamed(list: readonly HTTPNamedMatch[], report: Report, field: string): boolean[] {
  return list.map(
    ({ type, value }, i) => type !== 'RegularExpression' || checkRegex(value, report, `${field}[${i}].value`),
  );
}

/** Of several entries with one name only the first counts. */
function readNamed(list: readonly HTTPNamedMatch[], key: (name: string) => string): readonly NamedMatch[] {
  const first = new Map<string, NamedMatch>();
  for (const { type, name, value } of list) {
    const kind = type === 'RegularExpression' ? 'regex' : 'exact';
    if (!first.has(key(name)))
      first.set(key(name), { name: key(name), match: { kind, value }, invert: false });
  }
  return [...first.values()];
}

/**
 * The order of https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule: exact path, longest prefix, a method, most
 * headers, most query parameters. Equal ones stay as they come: oldest route first, then as written.
 * The spec leaves regular expressions open; they come before prefixes, or every catch-all would hide them.
 */
export function compareRules(a: RuleDraft, b: RuleDraft): number {
  return (
    pathRank[a.match.path.kind] - pathRank[b.match.path.kind] ||
    b.match.path.value.length - a.match.path.value.length ||
    Number(b.match.method !== undefined) - Number(a.match.method !== undefined) ||
    b.match.headers.length - a.match.headers.length ||
    b.match.query.length - a.match.query.length
  );
}

const pathRank = { exact: 0, regex: 1, pathPrefix: 2, prefix: 2 } as const;
