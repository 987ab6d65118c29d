import type { PrincipalSchema } from '../../gen/envoy/config/rbac/v3/rbac_pb.ts';
import type { AccessCondition, AccessSource } from '../model/access.ts';
import { cidrRange } from './envoy/address.ts';
import type { Init } from './envoy/init.ts';
import type { StringMatcherInit } from './envoy/string-matcher.ts';
import { namespaceMatcher, principalMatcher, serviceAccountMatcher } from './identity-matcher.ts';

export type PrincipalInit = Init<typeof PrincipalSchema>;

export const anyPrincipal: PrincipalInit = { identifier: { case: 'any', value: true } };

/** Who calls: every list that is not empty must hold. */
export function sourcePrincipal(trustDomain: string, source: AccessSource): PrincipalInit {
  const principal = (p: string): PrincipalInit => authenticated(principalMatcher(trustDomain, p));
  const namespace = (n: string): PrincipalInit => authenticated(namespaceMatcher(trustDomain, n));
  const account = (a: string): PrincipalInit => authenticated(serviceAccountMatcher(trustDomain, a));
  return allOf([
    ...oneOf(source.principals, principal),
    ...noneOf(source.notPrincipals, principal),
    ...oneOf(source.namespaces, namespace),
    ...noneOf(source.notNamespaces, namespace),
    ...oneOf(source.serviceAccounts, account),
    ...noneOf(source.notServiceAccounts, account),
    ...oneOf(source.ipBlocks, directAddress),
    ...noneOf(source.notIpBlocks, directAddress),
  ]);
}

/** A condition about the caller; `null` when it is about something else. */
export function conditionPrincipal(trustDomain: string, condition: AccessCondition): PrincipalInit | null {
  const each = conditionOn(trustDomain, condition.key.kind);
  return each === null
    ? null
    : allOf([...oneOf(condition.values, each), ...noneOf(condition.notValues, each)]);
}

function conditionOn(
  trustDomain: string,
  kind: AccessCondition['key']['kind'],
): ((value: string) => PrincipalInit) | null {
  switch (kind) {
    case 'source-ip':
      return directAddress;
    case 'source-namespace':
      return (value) => authenticated(namespaceMatcher(trustDomain, value));
    case 'source-principal':
      return (value) => authenticated(principalMatcher(trustDomain, value));
    case 'source-service-account':
      return (value) => authenticated(serviceAccountMatcher(trustDomain, value));
    case 'request-header':
    case 'destination-ip':
    case 'destination-port':
    case 'connection-sni':
      return null;
  }
}

export function allOf(parts: readonly PrincipalInit[]): PrincipalInit {
  const [first] = parts;
  if (first === undefined) return anyPrincipal;
  return parts.length === 1 ? first : { identifier: { case: 'andIds', value: { ids: [...parts] } } };
}

export function anyOf(parts: readonly PrincipalInit[]): PrincipalInit {
  const [first] = parts;
  if (first === undefined) return anyPrincipal;
  return parts.length === 1 ? first : { identifier: { case: 'orIds', value: { ids: [...parts] } } };
}

function oneOf(values: readonly string[], each: (value: string) => PrincipalInit): readonly PrincipalInit[] {
  return values.length === 0 ? [] : [anyOf(values.map(each))];
}

function noneOf(values: readonly string[], each: (value: string) => PrincipalInit): readonly PrincipalInit[] {
  return oneOf(values, each).map((some) => ({ identifier: { case: 'notId', value: some } }));
}

/** Holds only over mTLS; a plaintext caller is never anybody. */
function authenticated(principalName: StringMatcherInit): PrincipalInit {
  return { identifier: { case: 'authenticated', value: { principalName } } };
}

/** The address that the connection came from, not what a header claims. */
function directAddress(block: string): PrincipalInit {
  return { identifier: { case: 'directRemoteIp', value: cidrRange(block) } };
}
