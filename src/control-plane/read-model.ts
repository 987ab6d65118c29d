import { readdirSync } from 'node:fs';
import { relative } from 'node:path';
import { type AdminReaders, type ControlPlaneMetrics, objectMatches } from '../admin/admin.ts';
import type { FileLocation, MeshStatus, ObjectEntry, ProblemEntry, ProxyEntry } from '../admin/types.ts';
import type { Logger } from '../base/log.ts';
import { sortedBy } from '../base/sorted.ts';
import type { Clock } from '../base/time.ts';
import type { ObjectStatus } from '../model/condition.ts';
import type { MeshSettings } from '../model/mesh.ts';
import { type ObjectRef, refKey, refOf } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import type { KubeObject, LocatedProblem, Location, Source } from '../sources/types.ts';
import { type AppliedLedger, conditions } from '../status/status.ts';
import { allKinds } from './kinds.ts';
import type { Moment } from './mesh-loop.ts';
import type { Proxies } from './proxies.ts';
import { validate } from './validate.ts';

export type ReadModelOptions = {
  /** Of this program. */
  readonly version: string;
  readonly sources: readonly Source[];
  readonly directory: string;
  readonly settings: MeshSettings;
  readonly certificateTtl: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly startedAt: number;
  readonly ledger: AppliedLedger;
  readonly proxies: Proxies;
  /** When the newest certificate of each workload ends. */
  readonly expiries: ReadonlyMap<string, number>;
  /** `undefined` until the sources have said all they had. */
  readonly moment: () => Moment | undefined;
  /** What went wrong in us with the newest objects. */
  readonly mistake: () => string | undefined;
  readonly issuerExpires: () => number;
  readonly metrics: () => Pick<ControlPlaneMetrics, 'resourcesSent' | 'nacks' | 'resolves'>;
};

/** How long facts are gathered before conditions are worked out again. */
const calm = 100;

/** What the admin socket shows, worked out from the last moment and the ledger. `wake` says that one of them changed. */
export function createReadModel(options: ReadModelOptions): AdminReaders & { readonly wake: () => void } {
  const { ledger } = options;
  let statuses = new Map<string, ObjectStatus>();
  let waiting = false;
  const entries = (): readonly ObjectEntry[] => {
    const found = objectEntries(options, statuses);
    statuses = new Map(found.map(({ key, entry }) => [key, entry.object.status]));
    return found.map(({ entry }) => entry);
  };
  return {
    // Conditions have transition times, so they are worked out when something happens, not only when somebody asks.
    wake: () => {
      if (waiting) return;
      waiting = true;
      setTimeout(() => {
        waiting = false;
        try {
          entries();
        } catch (error) {
          // Our own mistake: whoever asks next is told, and everything else goes on.
          options.log.error('could not work out the conditions', { error: String(error) });
        }
      }, calm).unref();
    },
    status: () => meshStatus(options, entries()),
    objects: (query) => ({
      apiVersion: 'weft.dev/v1alpha1',
      kind: 'ObjectList',
      items: entries().filter(({ object }) => objectMatches(query, refOf(object))),
    }),
    proxies: () => ({
      apiVersion: 'weft.dev/v1alpha1',
      kind: 'ProxyList',
      items: sidecars(options).map((workload) => proxyEntry(options, workload)),
    }),
    validate: (text) => validate(text, options.settings, options.moment()?.view),
    problems: () => ({
      apiVersion: 'weft.dev/v1alpha1',
      kind: 'ProblemList',
      items: problemEntries(options),
    }),
    metrics: () => {
      const connected = [...options.proxies.connected()];
      return {
        connectedProxies: connected.length,
        syncedProxies: connected.filter((workload) => ledger.proxy(workload)?.inSync === true).length,
        ...options.metrics(),
      };
    },
    unhealthy: () =>
      options.moment() === undefined ? 'the sources have not said all they have' : options.mistake(),
  };
}

function meshStatus(of: ReadModelOptions, all: readonly ObjectEntry[]): MeshStatus {
  const workloads = sidecars(of);
  const isFalse = (entry: ObjectEntry, type: string): boolean =>
    entry.object.status.conditions.some((c) => c.type === type && c.status === 'False');
  const problems = problemEntries(of);
  return {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'MeshStatus',
    controlPlane: {
      version: of.version,
      startedAt: iso(of.startedAt),
      trustDomain: of.settings.trustDomain,
      outboundPolicy: of.settings.outboundPolicy,
      directory: of.directory,
      directoryError: directoryError(of.directory),
      certificateTtlSeconds: Math.round(of.certificateTtl / 1000),
      issuerExpires: iso(of.issuerExpires()),
    },
    proxies: {
      total: workloads.length,
      connected: workloads.filter((workload) => of.proxies.connected().has(workload)).length,
      inSync: workloads.filter((workload) => of.ledger.proxy(workload)?.inSync === true).length,
    },
    objects: {
      total: all.length,
      notAccepted: all.filter((entry) => isFalse(entry, 'Accepted')).length,
      unresolved: all.filter((entry) => isFalse(entry, 'ResolvedRefs')).length,
      notProgrammed: all.filter((entry) => isFalse(entry, 'Programmed')).length,
    },
    problems: {
      errors: problems.filter(({ severity }) => severity === 'error').length,
      warnings: problems.filter(({ severity }) => severity === 'warning').length,
    },
  };
}

/** Meshed workloads of the mesh, and proxies that are connected all the same. */
function sidecars({ moment, proxies }: ReadModelOptions): readonly string[] {
  return [...new Set<string>([...(moment()?.mesh.inbound.keys() ?? []), ...proxies.connected()])].sort();
}

function proxyEntry({ ledger, proxies, expiries, clock }: ReadModelOptions, workload: string): ProxyEntry {
  const progress = ledger.proxy(workload);
  const expires = expiries.get(workload);
  return {
    workload,
    connected: proxies.connected().has(workload),
    inSync: progress?.inSync ?? false,
    since: iso(progress?.since ?? clock()),
    wanted: progress?.wanted ?? 0,
    pending: progress?.pending ?? 0,
    rejected: progress?.rejected ?? [],
    envoyVersion: proxies.envoyVersion(workload),
    ...(expires === undefined ? {} : { certificateExpires: iso(expires) }),
  };
}

type Keyed = { readonly key: string; readonly entry: ObjectEntry };

function objectEntries(options: ReadModelOptions, previous: ReadonlyMap<string, ObjectStatus>): Keyed[] {
  const moment = options.moment();
  if (moment === undefined) return [];
  const problems = new Map<string, Problem[]>();
  for (const problem of allProblems(options)) {
    const key = refKey(problem.ref);
    problems.set(key, [...(problems.get(key) ?? []), problem]);
  }
  const now = iso(options.clock());
  const entryOf = (object: Shown, live: boolean): Keyed => {
    const ref = refOf(object);
    const key = refKey(ref);
    const applied = options.ledger.object(ref);
    const before = previous.get(key);
    const status = conditions({
      ref,
      generation: object.metadata.generation,
      problems: problems.get(key) ?? [],
      applied,
      live,
      parentRefs: parentRefsOf(object),
      now,
      ...(before === undefined ? {} : { previous: before }),
    });
    const location = locationOf(options, ref, '');
    const { rest, ...shown } = object;
    const entry = {
      object: { ...shown, ...rest, status },
      applied: { acked: applied.acked, total: applied.total },
    };
    return { key, entry: location === undefined ? entry : { ...entry, location } };
  };
  const live = allKinds.flatMap((kind) => moment.view.list(kind).map((object) => entryOf(object, true)));
  const known = new Set(live.map(({ key }) => key));
  const neverLive = moment.refused.filter(
    ({ ref }) => ref.name !== '' && !known.has(refKey(ref)) && isMeshKind(ref),
  );
  const refused = [...new Map(neverLive.map(({ ref }) => [refKey(ref), ref])).values()];
  return sortedBy(
    [...live, ...refused.map((ref) => entryOf(refusedObject(ref), false))],
    ({ entry: { object } }) => [object.kind, object.metadata.namespace ?? '', object.metadata.name].join(' '),
  );
}

type Shown = Pick<KubeObject, 'apiVersion' | 'kind' | 'spec' | 'rest'> & {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly generation: number };
};

function isMeshKind({ kind }: ObjectRef): boolean {
  return allKinds.some((known) => known === kind);
}

/** What there is to show of an object whose every form was refused. */
function refusedObject(ref: ObjectRef): Shown {
  return {
    apiVersion: ref.group === '' ? 'v1' : `${ref.group}/v1`,
    kind: ref.kind,
    metadata: { name: ref.name, namespace: ref.namespace, generation: 0 },
    spec: {},
    rest: {},
  };
}

function parentRefsOf({ spec }: Shown): readonly Readonly<Record<string, unknown>>[] {
  // An HTTPRoute passed its schema; for other kinds this stays empty.
  const refs = (Object(spec) as { parentRefs?: unknown }).parentRefs;
  return Array.isArray(refs) ? refs : [];
}

function allProblems(options: ReadModelOptions): readonly (Problem | LocatedProblem)[] {
  const moment = options.moment();
  const mistake = options.mistake();
  return [
    ...(mistake === undefined ? [] : [ourMistake(mistake)]),
    ...(moment?.refused ?? []),
    ...(moment?.problems ?? []),
    ...options.proxies.problems(),
  ];
}

function ourMistake(text: string): Problem {
  return {
    code: 'WEFT-1302',
    severity: 'error',
    reason: 'InternalError',
    message: `Weft ${text}`,
    fix: 'undo the last change, and report this with the log of the control plane',
    ref: { group: 'weft.dev', kind: 'Mesh', namespace: '', name: 'mesh' },
    field: '',
  };
}

function problemEntries(options: ReadModelOptions): readonly ProblemEntry[] {
  const entries = allProblems(options).map((problem): ProblemEntry => {
    const { location: own, ...rest } = { location: undefined, ...problem };
    const location =
      own === undefined ? locationOf(options, problem.ref, problem.field) : inDirectory(options, own);
    return location === undefined ? rest : { ...rest, location };
  });
  return sortedBy(entries, ({ severity, location }) => {
    const line = String(location?.line ?? 0).padStart(9, '0');
    return [severity, location?.file ?? '~', line].join(' ');
  });
}

function locationOf(options: ReadModelOptions, ref: ObjectRef, field: string): FileLocation | undefined {
  // Only the user's own files: what the runtime publishes is nobody's to edit.
  const found = options.sources[0]?.locate(ref, field);
  return found === undefined ? undefined : inDirectory(options, found);
}

function inDirectory({ directory }: ReadModelOptions, { file, line, column }: Location): FileLocation {
  return { file: file.startsWith('/') ? relative(directory, file) : file, line, column };
}

function directoryError(directory: string): string {
  try {
    readdirSync(directory);
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
