import type { Access, AccessPolicy, AccessRule } from '../model/access.ts';
import { type ObjectRef, refOf } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import type { AuthorizationPolicyObject, PolicyTargetReference } from '../sources/specs-istio.ts';
import type { Labels } from '../sources/types.ts';
import { anyone, needsHttp, readAccessRule } from './access-rule.ts';
import { wellKnown } from './labels.ts';
import { createReport, type Report } from './problems.ts';
import { selects } from './selector.ts';

/**
 * An AuthorizationPolicy by itself. What is not understood fails closed: a rule of a DENY matches everything, a rule
 * of an ALLOW nothing, and the policy still counts as there.
 */
export type ReadAuthorizationPolicy = {
  readonly ref: ObjectRef;
  readonly selector: Labels;
  /** Instead of a selector: the workloads of these Services of its namespace. */
  readonly services?: readonly string[];
  /** `none` for what never decides a request: audits, dry runs, policies of gateways. */
  readonly action: 'allow' | 'deny' | 'none';
  readonly policy: AccessPolicy;
  /** Has it conditions that only HTTP can meet? */
  readonly http: boolean;
  readonly problems: readonly Problem[];
};

export function readAuthorizationPolicy(object: AuthorizationPolicyObject): ReadAuthorizationPolicy {
  const ref = refOf(object);
  const report = createReport(ref);
  const { selector, rules = [], targetRef, targetRefs } = object.spec;
  const targets = [...(targetRef ? [targetRef] : []), ...(targetRefs ?? [])];
  const decided = readAction(object, report);
  const target = targets.length > 0 ? readTargets(targets, report) : { services: [], ignored: false };
  const action = target.ignored ? 'none' : decided;
  const unread: readonly AccessRule[] = action === 'deny' ? [anyone] : [];
  const read = rules.flatMap((rule, i) => {
    const field = `spec.rules[${i}]`;
    return readAccessRule(rule, { report, field, namespace: ref.namespace }) ?? unread;
  });
  const policy = {
    name: `${ref.namespace}/${ref.name}`,
    rules: targets.length > 0 ? unread : read,
    origin: { ref, field: '' },
  };
  return {
    ref,
    selector: selector?.matchLabels ?? {},
    ...(targets.length > 0 ? { services: target.services } : {}),
    action,
    policy,
    http: policy.rules.some(needsHttp),
    problems: report.problems,
  };
}

function readAction(
  { spec, metadata }: AuthorizationPolicyObject,
  report: Report,
): 'allow' | 'deny' | 'none' {
  const { action = 'ALLOW' } = spec;
  const decided = { ALLOW: 'allow', DENY: 'deny', CUSTOM: 'deny', AUDIT: 'none' } as const;
  if (action === 'CUSTOM') {
    report.error('WEFT-1101', {
      field: 'spec.action',
      message: 'CUSTOM is not supported yet: nobody can be asked, so what the rules match is denied',
      fix: 'use ALLOW or DENY',
    });
  }
  if (action === 'AUDIT') {
    report.warning('WEFT-1101', {
      field: 'spec.action',
      message:
        'AUDIT is not supported yet: nothing is recorded; requests are neither allowed nor denied by it',
      fix: 'remove the policy; the access log has every request',
    });
  }
  return isDryRun(metadata.annotations[wellKnown.dryRun], report) ? 'none' : decided[action];
}

function isDryRun(annotation: string | undefined, report: Report): boolean {
  const field = `metadata.annotations.${wellKnown.dryRun}`;
  if (annotation === 'true') {
    const message =
      'dry runs are not supported yet: the policy is not enforced, and what it would do is not recorded';
    report.warning('WEFT-1101', { field, message, fix: 'remove the annotation to enforce the policy' });
  } else if (annotation !== undefined && annotation !== 'false') {
    const message = `\`${annotation.slice(0, 128)}\` is neither true nor false; the policy is enforced`;
    report.error('WEFT-1209', { field, message, fix: 'write "true" or "false"' });
  }
  return annotation === 'true';
}

/** Sidecars know targets only as far as Services go: there the policy fails closed. */
function readTargets(
  targets: readonly PolicyTargetReference[],
  report: Report,
): { readonly services: readonly string[]; readonly ignored: boolean } {
  const services = targets.filter(({ kind, group = '' }) => kind === 'Service' && group === '');
  const ignored = services.length === 0;
  const effect = ignored
    ? 'the policy does not act on sidecars'
    : 'for the workloads of its Services it fails closed';
  const finding = {
    field: 'spec.targetRefs',
    message: `targets are not supported yet; ${effect}`,
    fix: 'select workloads with `selector.matchLabels`',
  };
  if (ignored) report.warning('WEFT-1101', finding);
  else report.error('WEFT-1101', finding);
  return { services: services.map(({ name }) => name), ignored };
}

/** `services`: names of the Services of the workload's own namespace that select it. */
export type AccessSubject = {
  readonly namespace: string;
  readonly labels: Labels;
  readonly services: readonly string[];
};

/** Root and own namespace are pooled. A selector in the root namespace spans all namespaces. */
export function appliesTo(policy: ReadAuthorizationPolicy, subject: AccessSubject, root: string): boolean {
  const { ref, services, selector } = policy;
  if (services)
    return ref.namespace === subject.namespace && services.some((name) => subject.services.includes(name));
  return (ref.namespace === subject.namespace || ref.namespace === root) && selects(selector, subject.labels);
}

export function toAccess(policies: readonly ReadAuthorizationPolicy[]): Access {
  const list = (action: string): AccessPolicy[] =>
    policies.filter((policy) => policy.action === action).map(({ policy }) => policy);
  const allow = list('allow');
  return { deny: list('deny'), allow: allow.length > 0 ? allow : null };
}
