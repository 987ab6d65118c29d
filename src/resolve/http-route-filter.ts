import { type HeaderMutation, noHeaders, type Rewrite } from '../model/traffic.ts';
import type { HTTPHeaderFilter, HTTPPathModifier, HTTPRouteFilter } from '../sources/specs-gateway.ts';
import { type ReadHeaders, readHeaders } from './header.ts';
import { type Report, unsupported } from './problems.ts';
import type { RedirectDraft } from './rule.ts';

/** `refused`: something here is not understood, and a filter is never skipped. */
export type ReadFilters = {
  readonly requestHeaders: HeaderMutation;
  readonly responseHeaders: HeaderMutation;
  readonly redirect?: RedirectDraft;
  readonly rewrite?: Rewrite;
  readonly refused: boolean;
};

export function isCore(group: string): boolean {
  return group === '' || group === 'core';
}

export function readRuleFilters(
  filters: readonly HTTPRouteFilter[],
  report: Report,
  field: string,
): ReadFilters {
  const readings = filters.map((filter, i) => readFilter(filter, report, `${field}[${i}]`));
  // A rule has each filter once; only a rewrite can come from two of them, path and authority.
  const rewrites = readings.flatMap(({ rewrite }) => rewrite ?? []);
  const redirect = readings.find((one) => one.redirect)?.redirect;
  return {
    requestHeaders: readings.find((one) => one.requestHeaders)?.requestHeaders ?? noHeaders,
    responseHeaders: readings.find((one) => one.responseHeaders)?.responseHeaders ?? noHeaders,
    ...(redirect ? { redirect } : {}),
    ...(rewrites.length > 0 ? { rewrite: Object.assign({}, ...rewrites) } : {}),
    refused: readings.some((one) => one.refused),
  };
}

/** On a backend only header changes can be: Envoy rewrites and redirects before it chooses one. */
export function readBackendFilters(
  filters: readonly HTTPRouteFilter[],
  report: Report,
  field: string,
): ReadFilters {
  const { redirect, rewrite, ...read } = readRuleFilters(filters, report, field);
  if (!redirect && !rewrite) return read;
  const why = 'on a backendRef only header modifiers can stand';
  report.error(
    'WEFT-1101',
    unsupported(field, { why, instead: 'the share of the backend is answered with 500' }),
  );
  return { ...read, refused: true };
}

function readFilter(filter: HTTPRouteFilter, report: Report, field: string): Partial<ReadFilters> {
  const { requestHeaderModifier, responseHeaderModifier, requestRedirect, urlRewrite } = filter;
  if (filter.type === 'RequestHeaderModifier') {
    const { mutation, authority, refused } = modifier(requestHeaderModifier);
    const rewrite = authority === undefined ? {} : { rewrite: { authority } };
    return { requestHeaders: mutation, ...rewrite, refused: checkNames(refused, report, field) };
  }
  if (filter.type === 'ResponseHeaderModifier') {
    const { mutation, authority, refused } = modifier(responseHeaderModifier);
    const names = authority === undefined ? refused : [...refused, 'host'];
    return { responseHeaders: mutation, refused: checkNames(names, report, field) };
  }
  if (filter.type === 'RequestRedirect' && requestRedirect) return { redirect: redirectOf(requestRedirect) };
  if (filter.type === 'URLRewrite' && urlRewrite) {
    const path = pathOf(urlRewrite.path);
    const authority = urlRewrite.hostname === undefined ? {} : { authority: urlRewrite.hostname };
    return { rewrite: { ...(path ? { path } : {}), ...authority } };
  }
  report.error('WEFT-1101', {
    field,
    message: `filter ${filter.type} is not supported yet; what it applies to is answered with 500`,
    fix: 'remove the filter, or move it to a rule of its own so that other requests go on',
  });
  return { refused: true };
}

function modifier({ set = [], add = [], remove = [] }: HTTPHeaderFilter = {}): ReadHeaders {
  return readHeaders({ set, add, remove });
}

function checkNames(names: readonly string[], report: Report, field: string): boolean {
  for (const name of names) {
    report.error('WEFT-1101', {
      field,
      message: `header \`${name}\` cannot be changed like this; what it applies to is answered with 500`,
      fix:
        name === 'host' ? 'use the URLRewrite filter with `hostname`' : 'remove the header from the filter',
    });
  }
  return names.length > 0;
}

type RedirectFilter = NonNullable<HTTPRouteFilter['requestRedirect']>;

/** Without a port: the well-known one of a scheme that is given, else the port that the client addressed. */
function redirectOf({ statusCode, scheme, hostname, port, path }: RedirectFilter): RedirectDraft {
  const to = pathOf(path);
  return {
    status: statusCode,
    ...(scheme === undefined ? {} : { scheme }),
    ...(hostname === undefined ? {} : { authority: hostname }),
    ...(port === undefined ? {} : { port }),
    ...(to ? { path: to } : {}),
    servicePort: port === undefined && scheme === undefined && hostname !== undefined,
  };
}

function pathOf(path: HTTPPathModifier | undefined): Rewrite['path'] {
  if (!path) return undefined;
  return path.type === 'ReplaceFullPath'
    ? { kind: 'full', value: path.replaceFullPath ?? '' }
    : { kind: 'prefix', value: path.replacePrefixMatch ?? '' };
}
