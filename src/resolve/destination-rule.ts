import { sortedBy } from '../base/sorted.ts';
import type { MeshSettings } from '../model/mesh.ts';
import { type ObjectRef, refOf, showRef } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import type { Destination, TrafficPolicy } from '../model/traffic.ts';
import type { DestinationRuleObject } from '../sources/specs-istio.ts';
import type { Labels } from '../sources/types.ts';
import { expandHost, isVisible, readVisibility, sameVisibility, type Visibility } from './host.ts';
import { type HostIndex, indexHosts } from './host-index.ts';
import { createReport, createReports, unsupported } from './problems.ts';
import { type LayeredPolicy, policyFor, readPolicy } from './traffic-policy.ts';

/** A DestinationRule by itself. */
export type ReadDestinationRule = {
  readonly ref: ObjectRef;
  readonly host: string;
  readonly visibility: Visibility;
  readonly policy?: LayeredPolicy;
  readonly subsets: readonly ReadSubset[];
  /** Not applied at all: it is meant for some clients of its namespace only. */
  readonly refused: boolean;
  readonly problems: readonly Problem[];
};
export type ReadSubset = {
  readonly name: string;
  readonly labels: Labels;
  readonly policy?: LayeredPolicy;
  readonly field: string;
};
/** The rules of one namespace for one host, as one. */
export type MergedRule = {
  readonly policy?: LayeredPolicy;
  /** By name. */
  readonly subsets: readonly (ReadSubset & { readonly ref: ObjectRef })[];
  readonly origins: readonly ObjectRef[];
  readonly problems: readonly Problem[];
};

export function readDestinationRule(
  object: DestinationRuleObject,
  settings: MeshSettings,
): ReadDestinationRule {
  const ref = refOf(object);
  const report = createReport(ref);
  const { host, exportTo, subsets = [], trafficPolicy, workloadSelector } = object.spec;
  const refused = workloadSelector !== undefined;
  if (refused) {
    const why = 'all workloads of a namespace share one view';
    report.error(
      'WEFT-1101',
      unsupported('spec.workloadSelector', { why, instead: 'the whole rule was left out' }),
    );
  }
  const policy = readPolicy(trafficPolicy, report, 'spec.trafficPolicy');
  return {
    ref,
    host: expandHost(host, ref.namespace, settings.clusterDomain),
    visibility: readVisibility(exportTo, ref.namespace),
    ...(policy ? { policy } : {}),
    subsets: subsets.map(({ name, labels = {}, trafficPolicy: own }, i): ReadSubset => {
      const field = `spec.subsets[${i}]`;
      const read = readPolicy(own, report, `${field}.trafficPolicy`);
      return { name, labels, ...(read ? { policy: read } : {}), field };
    }),
    refused,
    problems: report.problems,
  };
}

/** By namespace. */
export type DestinationRules = ReadonlyMap<string, HostIndex<ReadDestinationRule>>;

/** Rules in order of age. */
export function indexDestinationRules(rules: readonly ReadDestinationRule[]): DestinationRules {
  const applied = rules.filter(({ refused }) => !refused);
  const namespaces = Map.groupBy(applied, ({ ref }) => ref.namespace);
  return new Map(
    [...namespaces].map(([name, own]) => [name, indexHosts(own.map((rule) => [rule.host, rule] as const))]),
  );
}

export type Lookup = {
  readonly host: string;
  readonly client: string;
  /** Namespace of the service. */
  readonly owner: string;
  readonly root: string;
};

/**
 * The rules that count for a client: those of its own namespace, else those that the service's namespace, else those
 * that the root namespace shows it. The first step that has any wins wholly; nothing merges across namespaces.
 */
export function findDestinationRules(
  rules: DestinationRules,
  lookup: Lookup,
): readonly ReadDestinationRule[] {
  const { host, client, owner, root } = lookup;
  const groups = (namespace: string): readonly (readonly ReadDestinationRule[])[] =>
    rules.get(namespace)?.(host) ?? [];
  // In the root namespace rules are everybody's, so that a client there first sees only those kept private to it.
  const isPrivate = ({ visibility }: ReadDestinationRule): boolean =>
    !visibility.all && visibility.namespaces.has(root);
  const own = groups(client).map((group) => (client === root ? group.filter(isPrivate) : group));
  const seen = ({ visibility }: ReadDestinationRule): boolean => isVisible(visibility, client);
  const shown = [...groups(owner), ...groups(root)].map((group) => group.filter(seen));
  const first = [...own, ...shown].find((group) => group.length > 0) ?? [];
  return client === first[0]?.ref.namespace ? first : first.filter((rule) => sameExport(rule, first));
}

/** Rules that are shown to different namespaces stay apart, or one would leak into the other; the oldest decides. */
function sameExport({ visibility }: ReadDestinationRule, [oldest]: readonly ReadDestinationRule[]): boolean {
  return oldest !== undefined && sameVisibility(visibility, oldest.visibility);
}

/** Subsets come together, the first of each name; the oldest policy counts whole. */
export function mergeDestinationRules(rules: readonly ReadDestinationRule[]): MergedRule {
  const reports = createReports();
  const subsets = new Map<string, ReadSubset & { readonly ref: ObjectRef }>();
  let policyOf: ReadDestinationRule | undefined;
  for (const rule of rules) {
    const report = reports.on(rule.ref);
    for (const subset of rule.subsets) {
      const first = subsets.get(subset.name);
      if (!first) subsets.set(subset.name, { ...subset, ref: rule.ref });
      else
        report.warning('WEFT-1207', {
          field: subset.field,
          ...conflict(`subset \`${subset.name}\``, first.ref),
        });
    }
    if (rule.policy && policyOf) {
      report.warning('WEFT-1207', {
        field: 'spec.trafficPolicy',
        ...conflict('the traffic policy', policyOf.ref),
      });
    }
    policyOf ??= rule.policy ? rule : undefined;
  }
  return {
    ...(policyOf?.policy ? { policy: policyOf.policy } : {}),
    subsets: sortedBy(subsets.values(), ({ name }) => name),
    origins: rules.map(({ ref }) => ref),
    problems: reports.all(),
  };
}

function conflict(what: string, winner: ObjectRef): { readonly message: string; readonly fix: string } {
  return {
    message: `${what} is already given by the older ${showRef(winner)} for the same host; this one was left out`,
    fix: 'keep one of the two',
  };
}

/** The clusters of one service port: all endpoints first, then each subset. `plaintext`: no endpoint speaks TLS. */
export function listDestinations(
  key: Omit<Destination['key'], 'subset'>,
  rule: MergedRule | undefined,
  { origin, plaintext }: { readonly origin: ObjectRef; readonly plaintext: boolean },
): readonly Destination[] {
  const origins = [origin, ...(rule?.origins ?? [])];
  const make = (name: string, labels: Labels, subset: LayeredPolicy | undefined): Destination => ({
    key: { ...key, subset: name },
    labels,
    policy: withTls(policyFor(rule?.policy, subset, key.port), plaintext),
    origins,
  });
  const subsets = (rule?.subsets ?? []).map(({ name, labels, policy }) => make(name, labels, policy));
  return [make('', {}, undefined), ...subsets];
}

/** Automatic mTLS must not be tried where every workload has switched it off. */
function withTls(policy: TrafficPolicy, plaintext: boolean): TrafficPolicy {
  return plaintext && !policy.tls ? { ...policy, tls: 'disable' } : policy;
}
