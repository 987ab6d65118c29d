import fc from 'fast-check';
import { type Kind, type KubeObject, kinds } from '../../sources/types.ts';

/** Small worlds in which names collide often: two namespaces and the root, few names, few ports. */
const namespaces = ['a', 'b', 'weft-system'] as const;
const names = ['x', 'y'] as const;
const hosts = ['x', 'y', 'x.a.svc.cluster.local', '*.a.svc.cluster.local', '*', 'nobody'] as const;
const ports = [80, 81, 82] as const;
const labels = fc.record({ app: fc.constantFrom(...names) }, { requiredKeys: [] });
const exportTo = fc.option(fc.subarray(['.', '*', '~', 'a', 'b']), { nil: undefined });

type Specs = Readonly<Record<string, unknown>>;
type Parts = { readonly spec?: Specs; readonly rest?: Specs; readonly status?: Specs };

function objectOf(kind: Kind, parts: fc.Arbitrary<Parts>): fc.Arbitrary<KubeObject> {
  const { group, version } = kinds[kind];
  const meta = fc.record({
    namespace: fc.constantFrom(...namespaces),
    name: fc.constantFrom(...names),
    labels: fc.record(
      {
        app: fc.constantFrom(...names),
        'security.istio.io/tlsMode': fc.constant('istio'),
        'kubernetes.io/service-name': fc.constantFrom(...names),
      },
      { requiredKeys: ['security.istio.io/tlsMode', 'kubernetes.io/service-name'] },
    ),
    annotations: fc.constantFrom({}, { 'networking.istio.io/exportTo': '.' }),
    creationTimestamp: fc.constantFrom('', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'),
  });
  return fc.tuple(meta, parts).map(([metadata, { spec = {}, rest = {}, status }]) =>
    // Objects of a source have the ordinary prototype; some of these have none.
    structuredClone({
      apiVersion: group === '' ? version : `${group}/${version}`,
      kind,
      metadata: { ...metadata, generation: 1, uid: '', ownerReferences: [] },
      spec,
      rest,
      ...(status ? { status } : {}),
    }),
  );
}

const servicePort = fc.record({
  name: fc.constantFrom('http', 'tcp', ''),
  port: fc.constantFrom(...ports),
  targetPort: fc.constantFrom(8080, 9090, 'web'),
  protocol: fc.constant('TCP'),
});
const service = objectOf(
  'Service',
  fc.record({
    spec: fc.record({
      type: fc.constantFrom('ClusterIP', 'ClusterIP', 'ExternalName'),
      clusterIP: fc.constant('10.96.0.1'),
      selector: labels,
      ports: fc.uniqueArray(servicePort, { selector: ({ port }) => port, maxLength: 2 }),
    }),
  }),
);
const pod = objectOf(
  'Pod',
  fc.record({
    spec: fc.record({
      serviceAccountName: fc.constantFrom(...names),
      containers: fc.constant([
        { name: 'app', ports: [{ name: 'web', containerPort: 8080, protocol: 'TCP' }] },
      ]),
    }),
    status: fc.record({
      phase: fc.constantFrom('Running', 'Failed'),
      podIP: fc.constantFrom('10.1.0.1', '10.1.0.2'),
    }),
  }),
);
const slice = objectOf(
  'EndpointSlice',
  fc.record({
    rest: fc.record({
      addressType: fc.constant('IPv4'),
      ports: fc.constant([{ name: 'http', port: 8080, protocol: 'TCP' }]),
      endpoints: fc.array(fc.record({ addresses: fc.constantFrom(['10.1.0.1'], ['10.1.0.2']) }), {
        maxLength: 2,
      }),
    }),
  }),
);

const reference = fc.record(
  {
    group: fc.constant(''),
    kind: fc.constantFrom('Service', 'Service', 'Bucket'),
    name: fc.constantFrom(...names),
    namespace: fc.constantFrom('a', 'b'),
    port: fc.constantFrom(...ports),
    weight: fc.constantFrom(0, 1, 2),
  },
  { requiredKeys: ['group', 'kind', 'name', 'weight'] },
);
const gatewayMatch = fc.record(
  {
    path: fc.record({
      type: fc.constantFrom('Exact', 'PathPrefix', 'RegularExpression'),
      value: fc.constantFrom('/', '/p', '/(', '/p/q'),
    }),
    method: fc.constant('GET'),
  },
  { requiredKeys: ['path'] },
);
const httpRoute = objectOf(
  'HTTPRoute',
  fc.record({
    spec: fc.record({
      parentRefs: fc.array(reference, { maxLength: 2 }),
      rules: fc.array(
        fc.record({
          matches: fc.array(gatewayMatch, { maxLength: 2 }),
          backendRefs: fc.array(reference, { maxLength: 2 }),
          timeouts: fc.constantFrom({}, { request: '1s' }, { request: '1x' }),
        }),
        { maxLength: 2 },
      ),
    }),
  }),
);

const destination = fc.record({
  destination: fc.record(
    {
      host: fc.constantFrom(...hosts),
      subset: fc.constantFrom('v1', 'v2'),
      port: fc.constant({ number: 80 }),
    },
    { requiredKeys: ['host'] },
  ),
  weight: fc.constantFrom(0, 1, 2),
});
const istioMatch = fc.record(
  {
    uri: fc.constantFrom({ prefix: '/' }, { exact: '/p' }, { regex: '(' }),
    port: fc.constantFrom(...ports),
    sourceNamespace: fc.constantFrom(...namespaces),
    sourceLabels: fc.constant({ app: 'x' }),
  },
  { requiredKeys: [] },
);
const virtualService = objectOf(
  'VirtualService',
  fc.record({
    spec: fc.record({
      hosts: fc.subarray([...hosts], { maxLength: 2 }),
      exportTo,
      http: fc.array(
        fc.record(
          { match: fc.array(istioMatch, { maxLength: 2 }), route: fc.array(destination, { maxLength: 2 }) },
          { requiredKeys: ['route'] },
        ),
        { maxLength: 2 },
      ),
      tcp: fc.array(fc.record({ route: fc.array(destination, { maxLength: 2 }) }), { maxLength: 1 }),
    }),
  }),
);
const policy = fc.record(
  {
    tls: fc.constantFrom({ mode: 'DISABLE' }, { mode: 'SIMPLE' }),
    loadBalancer: fc.constantFrom({ simple: 'RANDOM' }, { warmup: { duration: '1s' } }),
    portLevelSettings: fc.constant([{ port: { number: 80 } }]),
  },
  { requiredKeys: [] },
);
const destinationRule = objectOf(
  'DestinationRule',
  fc.record({
    spec: fc.record(
      {
        host: fc.constantFrom(...hosts),
        exportTo,
        trafficPolicy: policy,
        subsets: fc.array(fc.record({ name: fc.constantFrom('v1', 'v2'), labels, trafficPolicy: policy }), {
          maxLength: 2,
        }),
      },
      { requiredKeys: ['host'] },
    ),
  }),
);
const selector = labels.map((matchLabels) => ({ matchLabels }));
const peerAuthentication = objectOf(
  'PeerAuthentication',
  fc.record({
    spec: fc.record(
      {
        selector,
        mtls: fc.record({ mode: fc.constantFrom('UNSET', 'STRICT', 'PERMISSIVE', 'DISABLE') }),
        portLevelMtls: fc.constant({ 8080: { mode: 'DISABLE' } }),
      },
      { requiredKeys: [] },
    ),
  }),
);
const accessRule = fc.record(
  {
    from: fc.constantFrom([{ source: { namespaces: ['a'] } }], [{ source: { principals: ['spiffe://x'] } }]),
    to: fc.constantFrom([{ operation: { methods: ['GET'] } }], [{ operation: { ports: ['http'] } }]),
    when: fc.constantFrom(
      [{ key: 'source.ip', values: ['10.0.0.1'] }],
      [{ key: 'unheard.of', values: ['x'] }],
    ),
  },
  { requiredKeys: [] },
);
const authorizationPolicy = objectOf(
  'AuthorizationPolicy',
  fc.record({
    spec: fc.record(
      {
        selector,
        targetRefs: fc.constant([{ kind: 'Service', name: 'x' }]),
        action: fc.constantFrom('ALLOW', 'DENY', 'CUSTOM', 'AUDIT'),
        rules: fc.array(accessRule, { maxLength: 2 }),
      },
      { requiredKeys: [] },
    ),
  }),
);

/** Any object of a kind that the mesh reads. */
export const anyObject: fc.Arbitrary<KubeObject> = fc.oneof(
  { arbitrary: service, weight: 3 },
  { arbitrary: pod, weight: 3 },
  slice,
  httpRoute,
  virtualService,
  destinationRule,
  peerAuthentication,
  authorizationPolicy,
);
export const anyAuthorizationPolicy: fc.Arbitrary<KubeObject> = authorizationPolicy;

/** Objects as a cluster can hold them: one of each name. */
export const anyObjects: fc.Arbitrary<KubeObject[]> = fc.uniqueArray(anyObject, {
  selector: ({ kind, metadata }) => `${kind}/${metadata.namespace}/${metadata.name}`,
  maxLength: 30,
  size: 'max',
});
