import type {
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RouteMatchSchema,
} from '../../gen/envoy/config/route/v3/route_components_pb.ts';
import type { HttpMatch, NamedMatch, PathMatch, StringMatch } from '../model/traffic.ts';
import type { Init } from './envoy/init.ts';
import {
  endingWith,
  exactly,
  matchingRegex,
  type StringMatcherInit,
  startingWith,
} from './envoy/string-matcher.ts';

type RouteMatchInit = Init<typeof RouteMatchSchema>;
type HeaderInit = Init<typeof HeaderMatcherSchema>;
type QueryInit = Init<typeof QueryParameterMatcherSchema>;

export function routeMatch(match: HttpMatch): RouteMatchInit {
  const pseudo: HeaderInit[] = [];
  if (match.method !== undefined) pseudo.push(header(':method', match.method, false));
  if (match.authority !== undefined) pseudo.push(header(':authority', match.authority, false));
  if (match.scheme !== undefined) pseudo.push(header(':scheme', match.scheme, false));
  return {
    pathSpecifier: pathSpecifier(match.path),
    ...(match.path.ignoreCase && { caseSensitive: false }),
    headers: [...pseudo, ...match.headers.map((named) => header(named.name, named.match, named.invert))],
    queryParameters: match.query.map(query),
  };
}

function pathSpecifier({ kind, value }: PathMatch): NonNullable<RouteMatchInit['pathSpecifier']> {
  switch (kind) {
    case 'exact':
      return { case: 'path', value };
    case 'prefix':
      return { case: 'prefix', value };
    case 'pathPrefix': {
      // Envoy refuses a trailing slash here; by elements, `/a/` and `/a` are the same prefix.
      const elements = value.replace(/\/+$/, '');
      return elements === ''
        ? { case: 'prefix', value: '/' }
        : { case: 'pathSeparatedPrefix', value: elements };
    }
    case 'regex':
      return { case: 'safeRegex', value: { regex: value } };
  }
}

function header(name: string, match: StringMatch, invertMatch: boolean): HeaderInit {
  return {
    name,
    headerMatchSpecifier:
      match.kind === 'present'
        ? { case: 'presentMatch', value: true }
        : { case: 'stringMatch', value: stringMatcher(match) },
    invertMatch,
  };
}

function query({ name, match, invert }: NamedMatch): QueryInit {
  // Neither API can ask for it, and Envoy could not answer.
  if (invert) throw new Error(`query parameter "${name}" has a negated match, which Envoy does not have`);
  return {
    name,
    queryParameterMatchSpecifier:
      match.kind === 'present'
        ? { case: 'presentMatch', value: true }
        : { case: 'stringMatch', value: stringMatcher(match) },
  };
}

function stringMatcher(match: Exclude<StringMatch, { kind: 'present' }>): StringMatcherInit {
  switch (match.kind) {
    case 'exact':
      return exactly(match.value);
    case 'prefix':
      // Envoy refuses an empty prefix or suffix; every present value has it.
      return match.value === '' ? matchingRegex('.*') : startingWith(match.value);
    case 'suffix':
      return match.value === '' ? matchingRegex('.*') : endingWith(match.value);
    case 'regex':
      return matchingRegex(match.value);
  }
}
