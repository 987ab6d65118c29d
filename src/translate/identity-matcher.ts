import { compareStrings } from '../base/sorted.ts';
import type { AccessRule, AccessSource } from '../model/access.ts';
import { exactly, matchingRegex, type StringMatcherInit, startingWith } from './envoy/string-matcher.ts';
import { parsePattern, patternRegex } from './pattern.ts';

/** Matchers on the SPIFFE URI of a peer. Any identity in a rule means one of our own trust domain. */

/** `*` is "any identity", not "anyone". */
export function principalMatcher(trustDomain: string, principal: string): StringMatcherInit {
  const pattern = parsePattern(principal);
  switch (pattern.kind) {
    case 'any':
      return startingWith(`spiffe://${trustDomain}/`);
    case 'exact':
      return exactly(`spiffe://${pattern.value}`);
    case 'prefix':
      return startingWith(`spiffe://${pattern.value}`);
    case 'suffix':
      return matchingRegex(`spiffe://${patternRegex(pattern, '.*')}`);
  }
}

export function namespaceMatcher(trustDomain: string, namespace: string): StringMatcherInit {
  const pattern = parsePattern(namespace);
  if (pattern.kind === 'exact') return startingWith(`spiffe://${trustDomain}/ns/${pattern.value}/`);
  const domain = patternRegex({ kind: 'exact', value: trustDomain }, '');
  return matchingRegex(`spiffe://${domain}/ns/${patternRegex(pattern, '[^/]*')}/.*`);
}

export function serviceAccountMatcher(trustDomain: string, account: string): StringMatcherInit {
  const [namespace = '', name = ''] = account.split('/');
  return exactly(`spiffe://${trustDomain}/ns/${namespace}/sa/${name}`);
}

/**
 * The identities that can pass at all, if every rule asks for some; `null` when one rule takes callers without an
 * identity of its choice. An upper bound: the rules themselves may refuse more.
 */
export function identityBound(
  trustDomain: string,
  rules: readonly AccessRule[],
): readonly StringMatcherInit[] | null {
  const bound = new Map<string, StringMatcherInit>();
  for (const rule of rules) {
    const sources = rule.from.map((source) => identitiesOf(trustDomain, source));
    if (sources.length === 0 || sources.some((identities) => identities.length === 0)) return null;
    for (const matcher of sources.flat()) bound.set(JSON.stringify(matcher), matcher);
  }
  return [...bound].sort(([a], [b]) => compareStrings(a, b)).map(([, matcher]) => matcher);
}

/** The lists of one source must all hold, so any one of them is a bound. */
function identitiesOf(trustDomain: string, source: AccessSource): readonly StringMatcherInit[] {
  if (source.principals.length > 0) return source.principals.map((p) => principalMatcher(trustDomain, p));
  if (source.serviceAccounts.length > 0) {
    return source.serviceAccounts.map((account) => serviceAccountMatcher(trustDomain, account));
  }
  return source.namespaces.map((namespace) => namespaceMatcher(trustDomain, namespace));
}
