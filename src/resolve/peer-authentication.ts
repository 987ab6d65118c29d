import type { MtlsMode } from '../model/access.ts';
import type { MeshSettings } from '../model/mesh.ts';
import { type ObjectRef, type Origin, refOf, showRef } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import type { IstioMtls, PeerAuthenticationObject } from '../sources/specs-istio.ts';
import type { Labels } from '../sources/types.ts';
import { createReport, type createReports } from './problems.ts';
import { selects } from './selector.ts';

/** A PeerAuthentication by itself. An unset mode inherits. */
export type ReadPeerAuthentication = {
  readonly ref: ObjectRef;
  /** Absent for a whole namespace. */
  readonly selector?: Labels;
  readonly mode?: MtlsMode;
  /** By workload port; an unset mode is that of the workload. */
  readonly ports: ReadonlyMap<number, MtlsMode>;
  readonly problems: readonly Problem[];
};

export function readPeerAuthentication(
  object: PeerAuthenticationObject,
  { rootNamespace }: MeshSettings,
): ReadPeerAuthentication {
  const ref = refOf(object);
  const report = createReport(ref);
  const { selector: { matchLabels = {} } = {}, mtls, portLevelMtls = {} } = object.spec;
  const selecting = Object.keys(matchLabels).length > 0;
  const mode = readMode(mtls);
  if (selecting && ref.namespace === rootNamespace) {
    report.warning('WEFT-1210', {
      field: 'spec.selector',
      message: `a selector in the root namespace \`${rootNamespace}\` selects only workloads of that namespace`,
      fix: 'put the PeerAuthentication into the namespace of the workloads',
    });
  }
  return {
    ref,
    ...(selecting ? { selector: matchLabels } : {}),
    ...(mode ? { mode } : {}),
    ports: readPorts(portLevelMtls),
    problems: report.problems,
  };
}

function readMode(mtls: IstioMtls | undefined): MtlsMode | undefined {
  return mtls?.mode === 'UNSET' ? undefined : mtls?.mode;
}

/** Ports belong to workloads: the schema takes them only beside a selector, and only as numbers. */
function readPorts(portLevel: Readonly<Record<string, IstioMtls>>): ReadonlyMap<number, MtlsMode> {
  const ports = new Map<number, MtlsMode>();
  for (const [port, mtls] of Object.entries(portLevel)) {
    const mode = readMode(mtls);
    if (mode) ports.set(Number(port), mode);
  }
  return ports;
}

type Group = { readonly namespace: string; readonly labels: Labels };

/** What decides a workload's modes: at most one policy of each scope, the oldest. */
export type EffectivePeerAuthentication = {
  readonly mode: MtlsMode;
  readonly ports: ReadonlyMap<number, MtlsMode>;
  readonly origins: readonly Origin[];
};
export const permissive: EffectivePeerAuthentication = { mode: 'PERMISSIVE', ports: new Map(), origins: [] };

/** Policies in order of age. The narrower scope goes first: workload, then namespace, then mesh. */
export function effectivePeerAuthentication(
  policies: readonly ReadPeerAuthentication[],
  { namespace, labels }: Group,
  root: string,
): EffectivePeerAuthentication {
  const own = policies.filter(({ ref }) => ref.namespace === namespace);
  const scopes = [
    own.find(({ selector }) => selector && selects(selector, labels)),
    own.find(({ selector }) => !selector),
    policies.find(({ ref, selector }) => ref.namespace === root && !selector),
  ].filter((policy) => policy !== undefined);
  const decisive = scopes.find(({ mode }) => mode);
  const [narrowest] = scopes;
  const ports = narrowest?.selector ? narrowest.ports : permissive.ports;
  const origins = new Set([
    ...(ports.size > 0 && narrowest ? [narrowest] : []),
    ...(decisive ? [decisive] : []),
  ]);
  return {
    mode: decisive?.mode ?? permissive.mode,
    ports,
    origins: [...origins].map(({ ref }) => ({ ref, field: 'spec' })),
  };
}

/** Of several policies of one scope only the oldest acts; the others hear about it. */
export function reportPeerConflicts(
  policies: readonly ReadPeerAuthentication[],
  groups: readonly Group[],
  reports: ReturnType<typeof createReports>,
): void {
  const wholes = policies.filter(({ selector }) => !selector);
  for (const [, [winner, ...losers]] of Map.groupBy(wholes, ({ ref }) => ref.namespace)) {
    for (const { ref } of losers)
      if (winner) reports.on(ref).warning('WEFT-1207', conflict(winner.ref, 'namespace'));
  }
  const told = new Set<ReadPeerAuthentication>();
  const selecting = Map.groupBy(
    policies.filter(({ selector }) => selector),
    ({ ref }) => ref.namespace,
  );
  for (const { namespace, labels } of groups) {
    const all = selecting.get(namespace) ?? [];
    const [winner, ...losers] = all.filter(({ selector }) => selector && selects(selector, labels));
    for (const loser of losers) {
      if (winner && !told.has(loser))
        reports.on(loser.ref).warning('WEFT-1207', conflict(winner.ref, 'workload'));
      told.add(loser);
    }
  }
}

function conflict(winner: ObjectRef, scope: string): { field: string; message: string; fix: string } {
  return {
    field: scope === 'namespace' ? '' : 'spec.selector',
    message: `the older ${showRef(winner)} already decides for the same ${scope}; this one does not act there`,
    fix: 'keep one of the two',
  };
}
