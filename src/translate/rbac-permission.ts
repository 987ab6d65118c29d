import type { PermissionSchema } from '../../gen/envoy/config/rbac/v3/rbac_pb.ts';
import type { HeaderMatcherSchema } from '../../gen/envoy/config/route/v3/route_components_pb.ts';
import type { AccessCondition, AccessOperation } from '../model/access.ts';
import { cidrRange } from './envoy/address.ts';
import type { Init } from './envoy/init.ts';
import { matchingRegex, quoteRegex, type StringMatcherInit } from './envoy/string-matcher.ts';
import { parsePattern, patternMatcher, patternRegex } from './pattern.ts';

export type PermissionInit = Init<typeof PermissionSchema>;

export const anyPermission: PermissionInit = { rule: { case: 'any', value: true } };

/** What is asked for: every list that is not empty must hold. */
export function operationPermission(operation: AccessOperation): PermissionInit {
  return allOf([
    ...oneOf(operation.hosts, host),
    ...noneOf(operation.notHosts, host),
    ...oneOf(operation.methods, method),
    ...noneOf(operation.notMethods, method),
    ...oneOf(operation.paths, path),
    ...noneOf(operation.notPaths, path),
    ...oneOf(operation.ports, port),
    ...noneOf(operation.notPorts, port),
  ]);
}

/** A condition about the request or the connection's other end; `null` when it is about the caller. */
export function conditionPermission({ key, values, notValues }: AccessCondition): PermissionInit | null {
  const both = (each: (value: string) => PermissionInit): PermissionInit =>
    allOf([...oneOf(values, each), ...noneOf(notValues, each)]);
  switch (key.kind) {
    case 'request-header':
      return both((value) => header(key.name, patternMatcher(parsePattern(value))));
    case 'destination-ip':
      return both((block) => ({ rule: { case: 'destinationIp', value: cidrRange(block) } }));
    case 'destination-port':
      return both((value) => port(portNumber(value)));
    case 'connection-sni':
      return both(serverName);
    case 'source-ip':
    case 'source-namespace':
    case 'source-principal':
    case 'source-service-account':
      return null;
  }
}

export function allOf(parts: readonly PermissionInit[]): PermissionInit {
  const [first] = parts;
  if (first === undefined) return anyPermission;
  return parts.length === 1 ? first : { rule: { case: 'andRules', value: { rules: [...parts] } } };
}

export function anyOf(parts: readonly PermissionInit[]): PermissionInit {
  const [first] = parts;
  if (first === undefined) return anyPermission;
  return parts.length === 1 ? first : { rule: { case: 'orRules', value: { rules: [...parts] } } };
}

function oneOf<T>(values: readonly T[], each: (value: T) => PermissionInit): readonly PermissionInit[] {
  return values.length === 0 ? [] : [anyOf(values.map(each))];
}

function noneOf<T>(values: readonly T[], each: (value: T) => PermissionInit): readonly PermissionInit[] {
  return oneOf(values, each).map((some) => ({ rule: { case: 'notRule', value: some } }));
}

function header(name: string, matcher: StringMatcherInit | null): PermissionInit {
  const value: Init<typeof HeaderMatcherSchema> = {
    name,
    headerMatchSpecifier:
      matcher === null ? { case: 'presentMatch', value: true } : { case: 'stringMatch', value: matcher },
  };
  return { rule: { case: 'header', value } };
}

function method(text: string): PermissionInit {
  return header(':method', patternMatcher(parsePattern(text)));
}

/** Names have no case, and a rule for a host means it with any port. */
function host(text: string): PermissionInit {
  const pattern = parsePattern(text);
  if (pattern.kind === 'any') return header(':authority', null);
  return header(':authority', matchingRegex(`(?i)${patternRegex(pattern, '.*')}(:[0-9]+)?`));
}

function path(text: string): PermissionInit {
  const matcher = /\{\*\*?\}/.test(text)
    ? matchingRegex(templateRegex(text))
    : patternMatcher(parsePattern(text));
  if (matcher === null) return anyPermission;
  return { rule: { case: 'urlPath', value: { rule: { case: 'path', value: matcher } } } };
}

/** `{*}` is one path segment, `{**}` any number of them. */
function templateRegex(template: string): string {
  return template
    .split(/(\{\*\*?\})/)
    .map((part) => (part === '{*}' ? '[^/]+' : part === '{**}' ? '.*' : quoteRegex(part)))
    .join('');
}

function port(value: number): PermissionInit {
  return { rule: { case: 'destinationPort', value } };
}

function portNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65_535) throw new Error(`"${text}" is not a port`);
  return value;
}

function serverName(text: string): PermissionInit {
  const matcher = patternMatcher(parsePattern(text)) ?? matchingRegex('.+');
  return { rule: { case: 'requestedServerName', value: matcher } };
}
