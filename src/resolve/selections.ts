import type { AccessRule } from '../model/access.ts';
import type { ObjectRef } from '../model/object-ref.ts';
import type { Labels } from '../sources/types.ts';
import { needsHttp } from './access-rule.ts';
import type { ReadAuthorizationPolicy } from './authorization-policy.ts';
import type { ReadDestinationRule } from './destination-rule.ts';
import { mergeDestinationRules } from './destination-rule.ts';
import { hostMatches } from './host.ts';
import type { InboundGroup } from './inbounds.ts';
import type { ReadObjects } from './objects.ts';
import type { createReports } from './problems.ts';
import { isHttp } from './protocol.ts';
import { selects } from './selector.ts';
import type { Topology } from './topology.ts';

type Reports = ReturnType<typeof createReports>;

/** Hosts without a Service, subsets without workloads, and what two rules of one host say twice. */
export function reportDestinationRules(
  rules: readonly ReadDestinationRule[],
  { reads, selected, missing }: Topology,
  reports: Reports,
): void {
  for (const { ref, host, subsets } of rules) {
    const services = reads.filter((read) => hostMatches(host, read.host));
    const pods = services.flatMap(({ key }) => selected.get(key) ?? []);
    if (services.length === 0) {
      const message = `host ${host} is not known, so the rule does not act: ${missing(host)}`;
      reports
        .on(ref)
        .warning('WEFT-1201', { field: 'spec.host', message, fix: 'name the host of a Service' });
    }
    for (const { name, labels, field } of pods.length > 0 ? subsets : []) {
      if (pods.some((pod) => selects(labels, pod.labels))) continue;
      reports.on(ref).warning('WEFT-1210', {
        field: `${field}.labels`,
        message: `subset \`${name}\` selects none of the ${pods.length} workloads of ${host}; requests to it are answered with 503`,
        fix: `correct the labels; the workloads have ${showLabels(pods[0]?.labels ?? {})}`,
      });
    }
  }
}

export function destinationRuleConflicts(rules: readonly ReadDestinationRule[]): ReturnType<Reports['all']> {
  const groups = Map.groupBy(
    rules.filter(({ refused }) => !refused),
    ({ ref, host }) => `${ref.namespace} ${host}`,
  );
  return [...groups.values()]
    .filter(({ length }) => length > 1)
    .flatMap((group) => [...mergeDestinationRules(group).problems]);
}

/** Selectors of policies that select nothing, where there is something to select. */
export function reportSelectors(
  objects: ReadObjects,
  { groups, root }: { readonly groups: readonly InboundGroup[]; readonly root: string },
  reports: Reports,
): void {
  const check = (ref: ObjectRef, selector: Labels, everywhere: boolean): void => {
    const scope = groups.filter(({ pod }) => everywhere || pod.namespace === ref.namespace);
    const found = scope.some(({ pod }) => selects(selector, pod.labels));
    if (found || scope.length === 0 || Object.keys(selector).length === 0) return;
    reports.on(ref).warning('WEFT-1210', {
      field: 'spec.selector',
      message: `${showLabels(selector)} selects no workload with a sidecar${everywhere ? '' : ` in namespace ${ref.namespace}`}`,
      fix: 'correct the labels',
    });
  };
  for (const { ref, selector = {} } of objects.peerAuthentications) check(ref, selector, false);
  for (const { ref, selector } of objects.authorizationPolicies) check(ref, selector, ref.namespace === root);
}

/** Conditions of HTTP where only connections are seen. */
export function reportHttpOnTcp(groups: readonly InboundGroup[], reports: Reports): void {
  const told = new Set<ReadAuthorizationPolicy>();
  for (const { pod, view, policies } of groups) {
    for (const policy of policies.filter(({ http, action }) => http && action !== 'none')) {
      const asking = policy.policy.rules.filter(needsHttp);
      const port = view.ports.find(
        ({ port: number, protocol }) => !isHttp(protocol) && asking.some((rule) => touches(rule, number)),
      );
      if (!port || told.has(policy)) continue;
      told.add(policy);
      const effect =
        policy.action === 'deny' ? 'so there it denies more than it says' : 'so there it allows nothing';
      reports.on(policy.ref).warning('WEFT-1211', {
        field: 'spec.rules',
        message: `port ${port.port} of workload ${pod.namespace}/${pod.workload.name} carries ${port.protocol}, where hosts, methods, paths and headers cannot be seen, ${effect}`,
        fix: 'add `ports` to the operation to leave that port out, or declare the port as http if it is',
      });
    }
  }
}

function touches({ to }: AccessRule, port: number): boolean {
  return to.length === 0 || to.some(({ ports }) => ports.length === 0 || ports.includes(port));
}

function showLabels(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(', ');
}
