import type { MeshSettings } from '../model/mesh.ts';
import type { ObjectRef } from '../model/object-ref.ts';
import type { ProblemCode } from '../model/problem.ts';
import { defaultRetry, noHeaders, type Redirect, type Rewrite } from '../model/traffic.ts';
import type {
  HTTPRedirect,
  IstioDestination,
  IstioHeaderOperations,
  IstioHeaders,
  IstioHTTPRoute,
} from '../sources/specs-istio.ts';
import { readDuration } from './duration.ts';
import { type ReadHeaders, readHeaders } from './header.ts';
import { expandHost } from './host.ts';
import { type Finding, type Report, unsupported } from './problems.ts';
import { type ActionDraft, type BackendDraft, type RuleDraft, refuse } from './rule.ts';
import type { ReadMatch } from './virtual-service-match.ts';
import { readRetries } from './virtual-service-retry.ts';

export type Reading = { readonly ref: ObjectRef; readonly report: Report; readonly settings: MeshSettings };

/** A route without its matches; what a rewrite means depends on the match. */
export type ReadRoute = {
  readonly forMatch: (match: ReadMatch) => Omit<RuleDraft, 'name' | 'match' | 'origin'>;
};

export function readRoute(route: IstioHTTPRoute, field: string, reading: Reading): ReadRoute {
  const { report } = reading;
  const headers = readBoth(route.headers, report, `${field}.headers`);
  const refused = [reportUnsupported(route, field, report), headers.refused].includes(true);
  const action = refused ? refuse('WEFT-1101') : readAction(route, field, reading);
  const timeout = readDuration(route.timeout, { report, field: `${field}.timeout`, zero: true }) ?? 0;
  const retry = route.retries ? readRetries(route.retries, report, `${field}.retries`) : defaultRetry;
  return {
    forMatch: (match) => ({
      action: match.refused
        ? refuse(match.refused)
        : withRewrite(action, route.rewrite, headers.authority, match),
      // What is refused must not reach a proxy in any form.
      requestHeaders: headers.refused ? noHeaders : headers.request,
      responseHeaders: headers.refused ? noHeaders : headers.response,
      timeout,
      retry,
    }),
  };
}

const refusedFields = ['fault', 'mirror', 'corsPolicy', 'delegate'] as const;

function reportUnsupported(route: IstioHTTPRoute, field: string, report: Report): boolean {
  const instead = 'the route answers 500';
  const found: string[] = refusedFields.filter((name) => route[name] !== undefined);
  if (route.mirrors?.length) found.push('mirrors');
  if (route.rewrite?.uriRegexRewrite) found.push('rewrite.uriRegexRewrite');
  for (const name of found) report.error('WEFT-1101', unsupported(`${field}.${name}`, { instead }));
  return found.length > 0;
}

function readAction(route: IstioHTTPRoute, field: string, reading: Reading): ActionDraft {
  if (route.redirect) return readRedirect(route.redirect, `${field}.redirect`, reading.report);
  if (route.directResponse)
    return readDirect(route.directResponse, `${field}.directResponse`, reading.report);
  const { backends, refused } = readDestinations(route.route ?? [], `${field}.route`, reading);
  return refused ? refuse(refused) : { kind: 'forward', backends };
}

type Weighted = {
  readonly destination: IstioDestination;
  readonly weight?: number;
  readonly headers?: IstioHeaders;
};

export type ReadDestinations = { readonly backends: readonly BackendDraft[]; readonly refused?: ProblemCode };

/** One destination takes everything, whatever its weight; of several those of weight 0 get nothing. */
export function readDestinations(
  route: readonly Weighted[],
  field: string,
  reading: Reading,
): ReadDestinations {
  const weigh = ({ weight = 0 }: Weighted): number => (route.length === 1 ? 1 : weight);
  const odd = route.findIndex((entry) => weigh(entry) < 0 || weigh(entry) > maxWeight);
  if (odd >= 0) {
    const message = `a weight is from 0 to ${maxWeight}; requests are answered with 500`;
    const fix = 'use small numbers: only their proportion counts';
    return refuseAll('WEFT-1209', { field: `${field}[${odd}].weight`, message, fix }, reading.report);
  }
  const backends = route.map((entry, i) =>
    readBackend({ ...entry, weight: weigh(entry) }, `${field}[${i}].destination`, reading),
  );
  const weighted = backends.filter(({ weight }) => weight > 0);
  if (weighted.length > 0) return { backends: weighted };
  const what = route.length === 0 ? 'there is no destination' : 'the weights of all destinations are 0';
  const message = `${what}, so none can be chosen; requests are answered with 500`;
  const fix = 'give at least one destination a weight above 0';
  return refuseAll('WEFT-1205', { field, message, fix }, reading.report);
}

/** As in Gateway API; Envoy adds weights up in 32 bits. */
const maxWeight = 1_000_000;

function refuseAll(refused: ProblemCode, finding: Finding, report: Report): ReadDestinations {
  report.error(refused, finding);
  return { backends: [{ kind: 'invalid', weight: 1, message: finding.message }], refused };
}

function readBackend(
  entry: Weighted & { readonly weight: number },
  field: string,
  reading: Reading,
): BackendDraft {
  const { destination, weight } = entry;
  const { ref, report, settings } = reading;
  const headers = readBoth(entry.headers, report, field.replace(/destination$/, 'headers'));
  const port = destination.port?.number;
  const shown = port === undefined ? destination.host : `${destination.host}:${port}`;
  if (headers.authority !== undefined) {
    const why = 'one destination cannot rewrite the authority; `rewrite.authority` of the route can';
    report.error(
      'WEFT-1101',
      unsupported(field.replace(/destination$/, 'headers'), { why, instead: 'its share gets 500' }),
    );
  }
  if (headers.refused || headers.authority !== undefined) {
    return { kind: 'invalid', weight, message: `header changes of ${shown} are not supported yet` };
  }
  return {
    kind: 'reference',
    host: expandHost(destination.host, ref.namespace, settings.clusterDomain),
    shown,
    ...(port ? { port } : {}),
    subset: destination.subset ?? '',
    weight,
    requestHeaders: headers.request,
    responseHeaders: headers.response,
    origin: { ref, field },
  };
}

type BothHeaders = {
  readonly request: RuleDraft['requestHeaders'];
  readonly response: RuleDraft['responseHeaders'];
  readonly authority?: string;
  readonly refused: boolean;
};

function readBoth(headers: IstioHeaders | undefined, report: Report, field: string): BothHeaders {
  if (!headers) return { request: noHeaders, response: noHeaders, refused: false };
  const request = readOperations(headers.request);
  const response = readOperations(headers.response);
  const bad = [
    ...request.refused,
    ...response.refused,
    ...(response.authority === undefined ? [] : ['host']),
  ];
  for (const name of bad) {
    report.error('WEFT-1101', {
      field,
      message: `header \`${name}\` cannot be changed like this; what it applies to is answered with 500`,
      fix: 'remove the header from `headers`',
    });
  }
  return {
    request: request.mutation,
    response: response.mutation,
    ...(request.authority === undefined ? {} : { authority: request.authority }),
    refused: bad.length > 0,
  };
}

function readOperations({ set = {}, add = {}, remove = [] }: IstioHeaderOperations = {}): ReadHeaders {
  const list = (map: Readonly<Record<string, string>>): { name: string; value: string }[] =>
    Object.keys(map)
      .sort()
      .map((name) => ({ name, value: map[name] ?? '' }));
  return readHeaders({ set: list(set), add: list(add), remove });
}

/** A prefix match has its prefix replaced, any other the whole path. */
function withRewrite(
  action: ActionDraft,
  rewrite: IstioHTTPRoute['rewrite'],
  hostHeader: string | undefined,
  { match }: ReadMatch,
): ActionDraft {
  if (action.kind !== 'forward') return action;
  const authority = rewrite?.authority || hostHeader;
  const kind = match.path.kind === 'prefix' ? 'prefix' : 'full';
  const result: Rewrite = {
    ...(rewrite?.uri ? { path: { kind, value: rewrite.uri } as const } : {}),
    ...(authority ? { authority } : {}),
  };
  return Object.keys(result).length === 0 ? action : { ...action, rewrite: result };
}

const redirectCodes: readonly Redirect['status'][] = [301, 302, 303, 307, 308];

function readRedirect(redirect: HTTPRedirect, field: string, report: Report): ActionDraft {
  const { uri, prefixRewrite, authority, port, derivePort, scheme, redirectCode = 301 } = redirect;
  const status = redirectCodes.find((code) => code === redirectCode);
  if (!status) {
    report.error('WEFT-1209', {
      field: `${field}.redirectCode`,
      message: `${redirectCode} is not a status that redirects; the route answers 500`,
      fix: `use one of ${redirectCodes.join(', ')}`,
    });
    return refuse('WEFT-1209');
  }
  const to: Redirect = {
    status,
    ...(scheme ? { scheme } : {}),
    ...(authority ? { authority } : {}),
    ...(port ? { port } : {}),
    ...(uri ? { path: { kind: 'full', value: uri } as const } : {}),
    ...(prefixRewrite ? { path: { kind: 'prefix', value: prefixRewrite } as const } : {}),
  };
  return { kind: 'redirect', redirect: { ...to, servicePort: !port && derivePort === 'FROM_REQUEST_PORT' } };
}

type DirectResponse = NonNullable<IstioHTTPRoute['directResponse']>;
const megabyte = 1024 * 1024;

function readDirect({ status, body }: DirectResponse, field: string, report: Report): ActionDraft {
  const text = body?.string ?? (body?.bytes === undefined ? '' : decode(body.bytes));
  if (status >= 200 && status <= 599 && text !== undefined && text.length <= megabyte) {
    return { kind: 'respond', status, body: text };
  }
  report.error('WEFT-1209', {
    field,
    message: 'the response cannot be sent as it is; the route answers 500',
    fix: 'use a status from 200 to 599, and a body of at most 1 MB; `body.bytes` is text in base64',
  });
  return refuse('WEFT-1209');
}

/** Text in base64, or `undefined` when it is not. */
function decode(base64: string): string | undefined {
  try {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Both decoders tell of bad input only by throwing; it goes on as a value.
    return undefined;
  }
}
