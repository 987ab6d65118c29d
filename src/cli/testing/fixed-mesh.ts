/** A small mesh that never changes: what golden outputs are made from. */
import type { AdminReaders } from '../../admin/admin.ts';
import { objectMatches } from '../../admin/admin.ts';
import type { Manifest, ObjectEntry, ProblemEntry, ProxyEntry } from '../../admin/types.ts';
import type { Condition } from '../../model/condition.ts';

const apiVersion = 'weft.dev/v1alpha1';
const at = '2030-01-01T00:00:00Z';

type Verdict = readonly [status: Condition['status'], reason: string, message: string];
type Verdicts = { readonly accepted?: Verdict; readonly resolved?: Verdict; readonly programmed: Verdict };

function conditions({ accepted, resolved, programmed }: Verdicts): Condition[] {
  const one = (type: Condition['type'], [status, reason, message]: Verdict): Condition => {
    return { type, status, reason, message, observedGeneration: 1, lastTransitionTime: at };
  };
  return [
    one('Accepted', accepted ?? ['True', 'Accepted', 'the object is accepted']),
    one('ResolvedRefs', resolved ?? ['True', 'ResolvedRefs', 'everything it refers to exists']),
    one('Programmed', programmed),
  ];
}

type Made = Verdicts & {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly spec: unknown;
  readonly line: number;
  readonly acked?: number;
  readonly total?: number;
};

function entry(made: Made): ObjectEntry {
  const object: Manifest = {
    apiVersion: made.apiVersion,
    kind: made.kind,
    metadata: { name: made.name, namespace: 'campus', generation: 1 },
    spec: made.spec,
    status: { conditions: conditions(made) },
  };
  const location = { file: 'campus.yaml', line: made.line, column: 1 };
  return { object, location, applied: { acked: made.acked ?? 0, total: made.total ?? 0 } };
}

/** As the runtime publishes it: no file of the user's defines it. */
function pod(app: string): ObjectEntry {
  const object: Manifest = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: app === 'web' ? 'web-7' : 'pay-1',
      namespace: 'campus',
      generation: 1,
      labels: { app, 'pod-template-hash': 'abc' },
      ownerReferences: [{ kind: 'ReplicaSet', name: `${app}-abc`, controller: true }],
    },
    spec: {},
    status: { conditions: conditions({ programmed: everywhere }) },
  };
  return { object, applied: { acked: 2, total: 2 } };
}

const everywhere: Verdict = ['True', 'Programmed', 'applied on 2 of 2 proxies'];
const objects: readonly ObjectEntry[] = [
  entry({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    name: 'pay-routes',
    spec: { parentRefs: [{ group: '', kind: 'Service', name: 'pay' }] },
    line: 30,
    resolved: ['False', 'BackendNotFound', 'no Service campus/pey; did you mean pay?'],
    programmed: everywhere,
    acked: 2,
    total: 2,
  }),
  pod('pay'),
  pod('web'),
  entry({
    apiVersion: 'v1',
    kind: 'Service',
    name: 'pay',
    spec: { ports: [{ name: 'http', port: 8080 }] },
    line: 1,
    programmed: everywhere,
    acked: 2,
    total: 2,
  }),
  entry({
    apiVersion: 'v1',
    kind: 'Service',
    name: 'web',
    spec: { ports: [{ name: 'http', port: 8080 }] },
    line: 12,
    programmed: [
      'False',
      'Rejected',
      'applied on 1 of 2 proxies; campus/web-7 rejected: listener address in use',
    ],
    acked: 1,
    total: 2,
  }),
];

const proxies: readonly ProxyEntry[] = [
  {
    workload: 'campus/pay-1',
    connected: true,
    inSync: true,
    since: at,
    wanted: 12,
    pending: 0,
    rejected: [],
    envoyVersion: '1.40.0',
    certificateExpires: '2130-01-02T00:00:00Z',
  },
  {
    workload: 'campus/web-7',
    connected: true,
    inSync: false,
    since: at,
    wanted: 12,
    pending: 1,
    rejected: [{ type: 'listener', name: '10.96.0.7_8080', message: 'listener address in use' }],
    envoyVersion: '1.40.0',
    certificateExpires: '2130-01-02T00:00:00Z',
  },
];

const problems: readonly ProblemEntry[] = [
  {
    code: 'WEFT-1201',
    severity: 'error',
    reason: 'BackendNotFound',
    message: 'no Service campus/pey; did you mean pay?',
    fix: 'name a Service that exists',
    ref: { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'campus', name: 'pay-routes' },
    field: 'spec.rules[0].backendRefs[0].name',
    location: { file: 'campus.yaml', line: 41, column: 15 },
  },
];

const counts = { total: 3, notAccepted: 0, unresolved: 1, notProgrammed: 1 };

/** `directory` is the mesh directory; `well` leaves out everything that is wrong. */
export function fixedReaders(directory: string, well = false): AdminReaders {
  const shownObjects = well
    ? objects.filter(({ object }) => object.metadata.name.startsWith('pay') && object.kind !== 'HTTPRoute')
    : objects;
  const shownProxies = well ? proxies.filter(({ inSync }) => inSync) : proxies;
  return {
    status: () => ({
      apiVersion,
      kind: 'MeshStatus',
      controlPlane: {
        version: '0.1.0',
        startedAt: at,
        trustDomain: 'cluster.local',
        outboundPolicy: 'ALLOW_ANY',
        directory,
        directoryError: '',
        certificateTtlSeconds: 86_400,
        issuerExpires: '2140-01-01T00:00:00Z',
      },
      proxies: {
        total: shownProxies.length,
        connected: shownProxies.length,
        inSync: 1,
      },
      objects: well ? { total: 1, notAccepted: 0, unresolved: 0, notProgrammed: 0 } : counts,
      problems: { errors: well ? 0 : 1, warnings: 0 },
    }),
    objects: (query) => ({
      apiVersion,
      kind: 'ObjectList',
      items: shownObjects.filter(({ object: { kind, metadata } }) =>
        objectMatches(query, { group: '', kind, namespace: metadata.namespace ?? '', name: metadata.name }),
      ),
    }),
    proxies: () => ({ apiVersion, kind: 'ProxyList', items: shownProxies }),
    validate: () => ({ apiVersion, kind: 'Validation', accepted: true, problems: [] }),
    problems: () => ({ apiVersion, kind: 'ProblemList', items: well ? [] : problems }),
    metrics: () => ({
      connectedProxies: 2,
      syncedProxies: 1,
      resourcesSent: 24,
      nacks: 1,
      resolves: { count: 3, seconds: 0.012 },
    }),
    unhealthy: () => undefined,
  };
}
