import { create } from '@bufbuild/protobuf';
import {
  type PolicySchema,
  type RBAC,
  RBAC_Action,
  RBACSchema,
} from '../../gen/envoy/config/rbac/v3/rbac_pb.ts';
import { sortedBy } from '../base/sorted.ts';
import type { AccessOperation, AccessPolicy, AccessRule } from '../model/access.ts';
import type { Init } from './envoy/init.ts';
import type { Guard } from './guard.ts';
import * as permissions from './rbac-permission.ts';
import * as principals from './rbac-principal.ts';

/** `tcp`: there are no requests to look at, and what a rule says of them cannot hold. */
export type Layer = 'http' | 'tcp';
export type Action = 'allow' | 'deny';
export type RulesOptions = {
  readonly action: Action;
  readonly layer: Layer;
  readonly trustDomain: string;
  readonly guard: Guard;
};

type PolicyInit = Init<typeof PolicySchema>;

/**
 * Envoy's form of a set of policies: one Envoy policy for each rule, named `<namespace>/<name>[<rule>]`, in the order of
 * names. A policy that cannot be translated denies everything if it denies, and allows nothing if it allows.
 */
export function rbacRules(policies: readonly AccessPolicy[], options: RulesOptions): RBAC {
  const entries = sortedBy(policies, (policy) => policy.name).flatMap((policy) =>
    options.guard.run<readonly (readonly [string, PolicyInit])[]>(
      policy.origin,
      () => policyEntries(policy, options),
      () => (options.action === 'deny' ? [[policy.name, everything]] : []),
    ),
  );
  return create(RBACSchema, {
    action: options.action === 'deny' ? RBAC_Action.DENY : RBAC_Action.ALLOW,
    policies: Object.fromEntries(entries),
  });
}

const everything: PolicyInit = {
  permissions: [permissions.anyPermission],
  principals: [principals.anyPrincipal],
};

function policyEntries(
  policy: AccessPolicy,
  options: RulesOptions,
): readonly (readonly [string, PolicyInit])[] {
  return policy.rules.flatMap((rule, index) => {
    const seen = options.layer === 'tcp' ? onTcp(rule, options.action) : rule;
    return seen === null ? [] : [[`${policy.name}[${index}]`, policyOf(seen, options.trustDomain)] as const];
  });
}

function policyOf(rule: AccessRule, trustDomain: string): PolicyInit {
  const from = rule.from.map((source) => principals.sourcePrincipal(trustDomain, source));
  const to = rule.to.map(permissions.operationPermission);
  const ofCaller = rule.when.flatMap((c) => principals.conditionPrincipal(trustDomain, c) ?? []);
  const ofRequest = rule.when.flatMap((c) => permissions.conditionPermission(c) ?? []);
  return {
    permissions: [permissions.allOf([...(to.length > 0 ? [permissions.anyOf(to)] : []), ...ofRequest])],
    principals: [principals.allOf([...(from.length > 0 ? [principals.anyOf(from)] : []), ...ofCaller])],
  };
}

/** The rules that are left of an ALLOW list on a TCP port: those that ask nothing about requests. */
export function allowRulesOnTcp(policies: readonly AccessPolicy[]): readonly AccessRule[] {
  return policies.flatMap((policy) => policy.rules.flatMap((rule) => onTcp(rule, 'allow') ?? []));
}

/**
 * On the safe side both ways: an ALLOW rule that asks about requests is dropped whole, a DENY rule loses just that
 * part, and so denies more.
 */
function onTcp(rule: AccessRule, action: Action): AccessRule | null {
  const asksRequests = rule.to.some(hasHttpFields) || rule.when.some(isHttpCondition);
  if (!asksRequests) return rule;
  if (action === 'allow') return null;
  return {
    from: rule.from,
    to: rule.to.map(withoutHttpFields),
    when: rule.when.filter((condition) => !isHttpCondition(condition)),
  };
}

function isHttpCondition({ key }: AccessRule['when'][number]): boolean {
  return key.kind === 'request-header';
}

function hasHttpFields(operation: AccessOperation): boolean {
  const { hosts, notHosts, methods, notMethods, paths, notPaths } = operation;
  return [hosts, notHosts, methods, notMethods, paths, notPaths].some((list) => list.length > 0);
}

function withoutHttpFields({ ports, notPorts }: AccessOperation): AccessOperation {
  return { hosts: [], notHosts: [], methods: [], notMethods: [], paths: [], notPaths: [], ports, notPorts };
}
