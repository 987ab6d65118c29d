import type { AccessOperation, AccessPolicy, AccessRule } from '../model/access.ts';

const httpFields = ['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths'] as const;

export function needsHttp({ to, when }: AccessRule): boolean {
  return to.some(operationNeedsHttp) || when.some(({ key }) => key.kind === 'request-header');
}

function operationNeedsHttp(operation: AccessOperation): boolean {
  return httpFields.some((name) => operation[name].length > 0);
}

/**
 * The policy on a port where there are no requests, only connections. A rule of an ALLOW that asks of HTTP goes, so
 * less is allowed; one of a DENY loses what it asks of HTTP, so more is denied.
 */
export function onTcp(policy: AccessPolicy, action: 'allow' | 'deny'): AccessPolicy {
  const rules =
    action === 'allow' ? policy.rules.filter((rule) => !needsHttp(rule)) : policy.rules.map(withoutHttp);
  return { ...policy, rules };
}

function withoutHttp(rule: AccessRule): AccessRule {
  if (!needsHttp(rule)) return rule;
  const nothing = { hosts: [], notHosts: [], methods: [], notMethods: [], paths: [], notPaths: [] };
  return {
    from: rule.from,
    to: rule.to.map((operation) => ({ ...operation, ...nothing })),
    when: rule.when.filter(({ key }) => key.kind !== 'request-header'),
  };
}
