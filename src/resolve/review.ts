import type { AccessRule } from '../model/access.ts';
import type { MeshSettings } from '../model/mesh.ts';
import type { ObjectRef } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import type { Labels } from '../sources/types.ts';
import { needsHttp } from './access-rule.ts';
import type { ReadAuthorizationPolicy } from './authorization-policy.ts';
import type { ReadDestinationRule } from './destination-rule.ts';
import { mergeDestinationRules } from './destination-rule.ts';
import { hostMatches, isWildcard } from './host.ts';
import type { InboundGroup, Inbounds } from './inbounds.ts';
import { type ReadPeerAuthentication, reportPeerConflicts } from './peer-authentication.ts';
import { createReports } from './problems.ts';
import { isHttp } from './protocol.ts';
import { selects } from './selector.ts';
import type { Selected, ServiceNames } from './topology.ts';
import type { ReadVirtualService } from './virtual-service.ts';
import { reportHosts } from './virtual-service-host.ts';
import type { ReadPod } from './workload.ts';

type Reports = ReturnType<typeof createReports>;

export type Reviewed = {
  readonly names: ServiceNames;
  readonly selected: Selected;
  readonly virtualServices: readonly ReadVirtualService[];
  readonly destinationRules: readonly ReadDestinationRule[];
  readonly peers: readonly ReadPeerAuthentication[];
  readonly policies: readonly ReadAuthorizationPolicy[];
  readonly inbounds: Inbounds;
};

/** What only shows when everything is seen together, and shapes nothing: names without a bearer, selectors without a match. */
export function createReview({ rootNamespace }: MeshSettings): (seen: Reviewed) => readonly Problem[] {
  return ({ names, selected, virtualServices, destinationRules, peers, policies, inbounds }) => {
    const reports = createReports();
    const { groups } = inbounds;
    const pods = groups.map(({ pod }) => pod);
    reportHosts(virtualServices, { names, reports });
    reportDestinationRules(destinationRules, { names, selected }, reports);
    reportPeerConflicts(peers, pods, reports);
    const check = selectorCheck(pods, reports);
    for (const { ref, selector = {} } of peers) check(ref, selector, false);
    for (const { ref, selector } of policies) check(ref, selector, ref.namespace === rootNamespace);
    reportHttpOnTcp(groups, reports);
    return [...destinationRuleConflicts(destinationRules), ...reports.all()];
  };
}

/** Hosts without a Service, subsets without workloads, and what two rules of one host say twice. */
function reportDestinationRules(
  rules: readonly ReadDestinationRule[],
  { names, selected }: { readonly names: ServiceNames; readonly selected: Selected },
  reports: Reports,
): void {
  for (const { ref, host, subsets } of rules) {
    const exact = isWildcard(host) ? undefined : names.find(host);
    const services = isWildcard(host)
      ? names.reads.filter((read) => hostMatches(host, read.host))
      : exact
        ? [exact]
        : [];
    const pods = services.flatMap(({ key }) => selected.get(key) ?? []);
    if (services.length === 0) {
      const message = `host ${host} is not known, so the rule does not act: ${names.missing(host)}`;
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

function destinationRuleConflicts(rules: readonly ReadDestinationRule[]): ReturnType<Reports['all']> {
  const groups = Map.groupBy(
    rules.filter(({ refused }) => !refused),
    ({ ref, host }) => `${ref.namespace} ${host}`,
  );
  return [...groups.values()]
    .filter(({ length }) => length > 1)
    .flatMap((group) => [...mergeDestinationRules(group).problems]);
}

/** Selectors of policies that select nothing, where there is something to select. */
function selectorCheck(
  pods: readonly ReadPod[],
  reports: Reports,
): (ref: ObjectRef, selector: Labels, everywhere: boolean) => void {
  return (ref, selector, everywhere) => {
    const scope = pods.filter(({ namespace }) => everywhere || namespace === ref.namespace);
    const found = scope.some(({ labels }) => selects(selector, labels));
    if (found || scope.length === 0 || Object.keys(selector).length === 0) return;
    reports.on(ref).warning('WEFT-1210', {
      field: 'spec.selector',
      message: `${showLabels(selector)} selects no workload with a sidecar${everywhere ? '' : ` in namespace ${ref.namespace}`}`,
      fix: 'correct the labels',
    });
  };
}

/** Conditions of HTTP where only connections are seen. */
function reportHttpOnTcp(groups: readonly InboundGroup[], reports: Reports): void {
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
