import type { HttpMatch, NamedMatch, PathMatch, StringMatch } from '../model/traffic.ts';
import type { HTTPMatchRequest, IstioStringMatch, L4Match } from '../sources/specs-istio.ts';
import { type Report, unsupported } from './problems.ts';
import { checkRegex } from './regex.ts';

/** What is decided when the view is made, not when the request comes. */
export type MatchScope = { readonly port?: number; readonly sourceNamespace?: string };
/** `refused`: a condition here is not understood, so what the others let through is refused. */
export type ReadMatch = { readonly match: HttpMatch; readonly catchAll: boolean; readonly refused: boolean };

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

/** `undefined` when a regular expression is bad: the block would match nobody knows what, and others go on. */
export function readMatch(block: HTTPMatchRequest, field: string, report: Report): ReadMatch | undefined {
  const check = (match: IstioStringMatch | undefined, name: string): boolean =>
    match?.regex === undefined || checkRegex(match.regex, report, `${field}.${name}.regex`);
  const { uri, scheme, method, authority } = block;
  const good = [
    ...Object.entries({ uri, scheme, method, authority }).map(([name, match]) => check(match, name)),
    ...(['headers', 'withoutHeaders', 'queryParams'] as const).flatMap((part) =>
      Object.entries(block[part] ?? {}).map(([name, match]) => check(match, `${part}.${name}`)),
    ),
  ];
  if (good.includes(false)) return undefined;
  const match: HttpMatch = {
    path: readPath(block),
    ...optional('method', readString(method)),
    ...optional('authority', readString(authority)),
    ...optional('scheme', readString(scheme)),
    headers: [
      ...readNamed(headersOf(block.headers), false),
      ...readNamed(headersOf(block.withoutHeaders), true),
    ],
    query: readNamed(block.queryParams ?? {}, false),
  };
  return { match, catchAll: isCatchAll(match), refused: reportUnsupported(block, field, report) };
}

function optional<K extends string>(
  key: K,
  match: StringMatch | undefined,
): { readonly [key in K]?: StringMatch } {
  // A computed key has the type string for the compiler; it is K.
  return (match ? { [key]: match } : {}) as { readonly [key in K]?: StringMatch };
}

/** Nothing given, or an empty value, asks only for presence. */
function readString(match: IstioStringMatch | undefined): StringMatch | undefined {
  if (!match) return undefined;
  if (match.exact) return { kind: 'exact', value: match.exact };
  if (match.prefix) return { kind: 'prefix', value: match.prefix };
  if (match.regex) return { kind: 'regex', value: match.regex };
  return { kind: 'present' };
}

function readPath({ uri, ignoreUriCase = false }: HTTPMatchRequest): PathMatch {
  const read = readString(uri);
  if (!read || read.kind === 'present' || read.kind === 'suffix')
    return { kind: 'prefix', value: '/', ignoreCase: false };
  return { kind: read.kind, value: read.value, ignoreCase: ignoreUriCase && read.kind !== 'regex' };
}

const pseudoHeaders: readonly string[] = ['uri', 'scheme', 'method', 'authority'];

/** Istio ignores the four words that have a field of their own. */
function headersOf(headers: HTTPMatchRequest['headers'] = {}): Readonly<Record<string, IstioStringMatch>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !pseudoHeaders.includes(name)));
}

function readNamed(
  named: Readonly<Record<string, IstioStringMatch>>,
  invert: boolean,
): readonly NamedMatch[] {
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
