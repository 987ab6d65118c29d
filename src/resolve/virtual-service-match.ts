import type { ProblemCode } from '../model/problem.ts';
import type { HttpMatch, NamedMatch, PathMatch, StringMatch } from '../model/traffic.ts';
import type { HTTPMatchRequest, IstioStringMatch, L4Match } from '../sources/specs-istio.ts';
import { defined } from './fields.ts';
import { type Report, unsupported } from './problems.ts';
import { checkRegex } from './regex.ts';

/** What is decided when the view is made, not when the request comes. */
export type MatchScope = { readonly port?: number; readonly sourceNamespace?: string };
export type ReadMatch = {
  readonly match: HttpMatch;
  readonly catchAll: boolean;
  /** A condition here is not understood and was left out, so what the others let through is refused. */
  readonly refused?: ProblemCode;
  /** For a bad regular expression: it goes behind all rules that are understood, and takes nothing from them. */
  readonly last: boolean;
};

export function isMesh({ gateways }: Pick<L4Match, 'gateways'>): boolean {
  return gateways === undefined || gateways.length === 0 || gateways.includes('mesh');
}

export function readScope({ port, sourceNamespace }: MatchScope): MatchScope {
  return {
    ...(port ? { port } : {}),
    ...(sourceNamespace ? { sourceNamespace } : {}),
  };
}

export function asksLabels({ sourceLabels = {} }: Pick<L4Match, 'sourceLabels'>): boolean {
  return Object.keys(sourceLabels).length > 0;
}

type StringMatches = Readonly<Record<string, IstioStringMatch | undefined>>;

export function readMatch(block: HTTPMatchRequest, field: string, report: Report): ReadMatch {
  let last = false;
  const readable = (named: StringMatches = {}, at: string): StringMatches => {
    const good = Object.entries(named).filter(([name, match]) => {
      const bad = match?.regex !== undefined && !checkRegex(match.regex, report, `${at}.${name}.regex`);
      last ||= bad;
      return !bad;
    });
    return Object.fromEntries(good);
  };
  const { headers, withoutHeaders, queryParams } = block;
  const { uri, method, authority, scheme } = readable(
    { uri: block.uri, method: block.method, authority: block.authority, scheme: block.scheme },
    field,
  );
  const match: HttpMatch = {
    path: readPath(uri, block.ignoreUriCase),
    ...defined({
      method: readString(method),
      authority: readString(authority),
      scheme: readString(scheme),
    }),
    headers: [
      ...readNamed(readable(headersOf(headers), `${field}.headers`), false),
      ...readNamed(readable(headersOf(withoutHeaders), `${field}.withoutHeaders`), true),
    ],
    query: readNamed(readable(queryParams, `${field}.queryParams`), false),
  };
  const closed = reportUnsupported(block, field, report);
  const refused = last ? 'WEFT-1206' : closed ? 'WEFT-1101' : undefined;
  return { match, catchAll: !last && isCatchAll(match), ...defined({ refused }), last };
}

/** Nothing given, or an empty value, asks only for presence. */
function readString(match: IstioStringMatch | undefined): StringMatch | undefined {
  if (!match) return undefined;
  if (match.exact) return { kind: 'exact', value: match.exact };
  if (match.prefix) return { kind: 'prefix', value: match.prefix };
  if (match.regex) return { kind: 'regex', value: match.regex };
  return { kind: 'present' };
}

function readPath(uri: IstioStringMatch | undefined, ignoreCase = false): PathMatch {
  const read = readString(uri);
  if (!read || read.kind === 'present' || read.kind === 'suffix')
    return { kind: 'prefix', value: '/', ignoreCase: false };
  return { kind: read.kind, value: read.value, ignoreCase: ignoreCase && read.kind !== 'regex' };
}

const pseudoHeaders: readonly string[] = ['uri', 'scheme', 'method', 'authority'];

/** Istio ignores the four words that have a field of their own. */
function headersOf(headers: StringMatches = {}): StringMatches {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !pseudoHeaders.includes(name)));
}

function readNamed(named: StringMatches, invert: boolean): readonly NamedMatch[] {
  return Object.keys(named)
    .sort()
    .map((name) => ({
      name: name.toLowerCase(),
      match: readString(named[name]) ?? { kind: 'present' },
      invert,
    }));
}

function isCatchAll({ path, method, authority, scheme, headers, query }: HttpMatch): boolean {
  const anyPath =
    (path.kind === 'prefix' && path.value === '/') || (path.kind === 'regex' && path.value === '.*');
  return anyPath && !method && !authority && !scheme && headers.length === 0 && query.length === 0;
}

function reportUnsupported(block: HTTPMatchRequest, field: string, report: Report): boolean {
  const instead = 'what the rest of the match lets through is answered with 500';
  const claims = Object.keys({ ...block.headers, ...block.withoutHeaders }).filter((name) =>
    name.startsWith('@'),
  );
  if (asksLabels(block)) {
    const why = 'all workloads of a namespace share one view (sourceNamespace works)';
    report.error('WEFT-1101', unsupported(`${field}.sourceLabels`, { why, instead }));
  }
  for (const name of claims) {
    report.error('WEFT-1101', {
      field: `${field}.headers`,
      message: `matching token claims (\`${name}\`) is not supported yet; ${instead}`,
      fix: 'remove the condition',
    });
  }
  if (block.statPrefix) report.warning('WEFT-1101', unsupported(`${field}.statPrefix`));
  return asksLabels(block) || claims.length > 0;
}
