/** Meshes in a compact YAML form, so that a case shows only what it is about. Everything left out has a default. */
import type {
  AccessOperation,
  AccessPolicy,
  AccessRule,
  AccessSource,
  InboundPort,
  InboundView,
  MtlsMode,
} from '../../model/access.ts';
import { defaultSettings, endpointsKey, type Mesh, type MeshSettings } from '../../model/mesh.ts';
import { serviceKey, spiffeId, type WorkloadKey, workloadKey } from '../../model/names.ts';
import type { ObjectRef, Origin } from '../../model/object-ref.ts';
import type { Endpoint, Protocol, Service, ServiceEndpoints, Workload } from '../../model/service.ts';
import {
  type Backend,
  type Destination,
  type DestinationKey,
  defaultRetry,
  type HeaderMutation,
  type HttpMatch,
  type HttpRule,
  noHeaders,
  type PathMatch,
  type Redirect,
  type RetryPolicy,
  type Rewrite,
  type ServicePortView,
  type ServiceView,
  type TrafficPolicy,
} from '../../model/traffic.ts';

type WorkloadCase = Partial<Omit<Workload, 'key' | 'identity' | 'origin'>>;

type BackendCase = {
  readonly service?: string;
  readonly port?: number;
  readonly subset?: string;
  readonly weight?: number;
  /** Makes it an invalid backend. */
  readonly invalid?: string;
  readonly requestHeaders?: Partial<HeaderMutation>;
  readonly responseHeaders?: Partial<HeaderMutation>;
};

export type RuleCase = {
  readonly name?: string;
  /** `{exact: /a}`, `{pathPrefix: /a}`, … */
  readonly path?: Readonly<Partial<Record<PathMatch['kind'], string>>>;
  readonly ignoreCase?: boolean;
  readonly match?: Partial<Omit<HttpMatch, 'path'>>;
  readonly to?: readonly BackendCase[];
  readonly rewrite?: Rewrite;
  readonly redirect?: Redirect;
  readonly respond?: { readonly status: number; readonly body: string };
  readonly requestHeaders?: Partial<HeaderMutation>;
  readonly responseHeaders?: Partial<HeaderMutation>;
  readonly timeout?: number;
  readonly retry?: RetryPolicy;
};

type EndpointCase = {
  readonly address: string;
  readonly port?: number;
  readonly health?: Endpoint['health'];
  readonly workload?: WorkloadCase;
};

type PortCase = {
  readonly protocol: Protocol;
  readonly rules?: readonly RuleCase[];
  readonly tcp?: readonly BackendCase[];
  readonly policy?: TrafficPolicy;
  readonly subsets?: Readonly<
    Record<string, { readonly labels: Record<string, string>; readonly policy?: TrafficPolicy }>
  >;
  readonly endpoints?: readonly EndpointCase[];
};

export type ServiceCase = {
  readonly name: string;
  readonly namespace?: string;
  readonly addresses?: readonly string[];
  readonly identities?: readonly string[];
  readonly ports: Readonly<Record<string, PortCase>>;
};

export type PolicyCase = {
  readonly name: string;
  readonly rules: readonly {
    readonly from?: readonly Partial<AccessSource>[];
    readonly to?: readonly Partial<AccessOperation>[];
    readonly when?: AccessRule['when'];
  }[];
};

type AccessCase = {
  readonly mtls?: MtlsMode;
  readonly deny?: readonly PolicyCase[];
  readonly allow?: readonly PolicyCase[] | null;
};

export type MeshCase = {
  readonly settings?: Partial<MeshSettings>;
  readonly workload?: WorkloadCase;
  readonly services?: readonly ServiceCase[];
  readonly inbound?: {
    readonly ports?: Readonly<Record<string, AccessCase & { readonly protocol: Protocol }>>;
    readonly other?: AccessCase;
  };
};

const home = 'campus';

function ref(kind: string, namespace: string, name: string): ObjectRef {
  const groups: Record<string, string> = {
    HTTPRoute: 'gateway.networking.k8s.io',
    AuthorizationPolicy: 'security.istio.io',
  };
  return { group: groups[kind] ?? '', kind, namespace, name };
}

export function meshOf(input: MeshCase): { readonly mesh: Mesh; readonly workload: WorkloadKey } {
  const settings: MeshSettings = { ...defaultSettings, ...input.settings };
  const workload = workloadOf({
    name: 'client',
    podName: 'client-1',
    addresses: ['10.244.0.9'],
    ...input.workload,
  });
  const services = (input.services ?? []).map((one, index) => serviceOf(one, index));
  const views = (input.services ?? []).map((one, index) => viewOf(one, services[index] ?? fail(one.name)));
  const endpoints = (input.services ?? []).flatMap((one, index) =>
    endpointsOf(one, services[index] ?? fail(one.name)),
  );
  return {
    workload: workload.key,
    mesh: {
      settings,
      services: new Map(services.map((service) => [service.key, service])),
      workloads: new Map([[workload.key, workload]]),
      endpoints: new Map(endpoints.map((one) => [endpointsKey(one.service, one.port), one])),
      clients: new Map([[workload.namespace, { namespace: workload.namespace, services: views }]]),
      inbound: new Map([[workload.key, inboundOf(input.inbound, workload)]]),
    },
  };
}

function fail(name: string): never {
  throw new Error(`case: ${name}?`);
}

export function workloadOf(input: WorkloadCase): Workload {
  const name = input.name ?? 'client';
  const namespace = input.namespace ?? home;
  const podName = input.podName ?? `${name}-1`;
  const serviceAccount = input.serviceAccount ?? name;
  return {
    key: workloadKey(namespace, podName),
    namespace,
    podName,
    name,
    serviceAccount,
    identity: spiffeId('cluster.local', namespace, serviceAccount),
    app: input.app ?? name,
    version: input.version ?? 'v1',
    labels: input.labels ?? {},
    addresses: input.addresses ?? ['10.244.0.9'],
    meshed: input.meshed ?? true,
    origin: ref('Pod', namespace, podName),
  };
}

function serviceOf(input: ServiceCase, index: number): Service {
  const namespace = input.namespace ?? home;
  return {
    key: serviceKey(namespace, input.name),
    namespace,
    name: input.name,
    host: hostOf(input.name, namespace),
    addresses: input.addresses ?? [`10.96.0.${10 + index}`],
    ports: Object.entries(input.ports).map(([number, port]) => ({
      number: Number(number),
      name: port.protocol,
      protocol: port.protocol,
    })),
    identities: (input.identities ?? [`spiffe://cluster.local/ns/${namespace}/sa/${input.name}`]).map(
      (id) => {
        const [, , domain = '', , ns = '', , account = ''] = id.split('/');
        return spiffeId(domain, ns, account);
      },
    ),
    origin: ref('Service', namespace, input.name),
  };
}

function hostOf(name: string, namespace: string): string {
  return `${name}.${namespace}.svc.cluster.local`;
}

function destinationKey(service: string, port: number, subset = ''): DestinationKey {
  const [name = '', namespace = home] = service.split('.');
  return { service: serviceKey(namespace, name), host: hostOf(name, namespace), port, subset };
}

function viewOf(input: ServiceCase, service: Service): ServiceView {
  const self = `${service.name}.${service.namespace}`;
  return {
    service,
    ports: Object.entries(input.ports).map(([number, port]): ServicePortView => {
      const own = destinationKey(self, Number(number));
      return {
        port: { number: Number(number), name: port.protocol, protocol: port.protocol },
        routes: routesOf(port, own, service.origin),
        destinations: [
          { key: own, labels: {}, policy: port.policy ?? {}, origins: [service.origin] },
          ...Object.entries(port.subsets ?? {}).map(
            ([subset, { labels, policy }]): Destination => ({
              key: { ...own, subset },
              labels,
              policy: policy ?? port.policy ?? {},
              origins: [service.origin, ref('DestinationRule', service.namespace, service.name)],
            }),
          ),
        ],
      };
    }),
  };
}

function routesOf(port: PortCase, own: DestinationKey, origin: ObjectRef): ServicePortView['routes'] {
  if (port.tcp !== undefined || port.protocol === 'tcp' || port.protocol === 'tls') {
    const backends = port.tcp?.map((one) => backendOf(one, own)) ?? [backendOf({}, own)];
    return { kind: 'tcp', backends, origins: [{ ref: origin, field: '' }] };
  }
  const rules = port.rules?.map((rule, index) => ruleOf(rule, index, own));
  return {
    kind: 'http',
    rules: rules ?? [{ ...ruleOf({}, 0, own), name: 'default', origin: { ref: origin, field: '' } }],
  };
}

function ruleOf(input: RuleCase, index: number, own: DestinationKey): HttpRule {
  const [kind = 'pathPrefix', value = '/'] = Object.entries(input.path ?? {})[0] ?? [];
  const field = `spec.rules[${index}]`;
  return {
    name: input.name ?? `campus.routes.${index}`,
    match: {
      headers: [],
      query: [],
      ...input.match,
      // The keys of a case's path are the kinds.
      path: { kind: kind as PathMatch['kind'], value, ignoreCase: input.ignoreCase ?? false },
    },
    action: actionOf(input, own),
    requestHeaders: { ...noHeaders, ...input.requestHeaders },
    responseHeaders: { ...noHeaders, ...input.responseHeaders },
    timeout: input.timeout ?? 0,
    retry: input.retry ?? defaultRetry,
    origin: { ref: ref('HTTPRoute', home, 'routes'), field },
  };
}

function actionOf(input: RuleCase, own: DestinationKey): HttpRule['action'] {
  if (input.redirect !== undefined) return { kind: 'redirect', redirect: input.redirect };
  if (input.respond !== undefined) return { kind: 'respond', ...input.respond };
  const backends = (input.to ?? [{}]).map((one) => backendOf(one, own));
  return { kind: 'forward', backends, ...(input.rewrite !== undefined && { rewrite: input.rewrite }) };
}

function backendOf(input: BackendCase, own: DestinationKey): Backend {
  const weight = input.weight ?? 1;
  if (input.invalid !== undefined) return { kind: 'invalid', weight, message: input.invalid };
  const destination =
    input.service === undefined
      ? { ...own, port: input.port ?? own.port, subset: input.subset ?? '' }
      : destinationKey(input.service, input.port ?? own.port, input.subset);
  return {
    kind: 'destination',
    destination,
    weight,
    requestHeaders: { ...noHeaders, ...input.requestHeaders },
    responseHeaders: { ...noHeaders, ...input.responseHeaders },
  };
}

function endpointsOf(input: ServiceCase, service: Service): ServiceEndpoints[] {
  return Object.entries(input.ports).flatMap(([number, port]) =>
    port.endpoints === undefined
      ? []
      : [
          {
            service: service.key,
            port: Number(number),
            endpoints: port.endpoints.map((one) => endpointOf(one, Number(number))),
            origins: [ref('EndpointSlice', service.namespace, service.name)],
          },
        ],
  );
}

function endpointOf(input: EndpointCase, port: number): Endpoint {
  return {
    address: input.address,
    port: input.port ?? port,
    health: input.health ?? 'healthy',
    ...(input.workload !== undefined && { workload: workloadOf(input.workload) }),
  };
}

function inboundOf(input: MeshCase['inbound'], workload: Workload): InboundView {
  return {
    ports: Object.entries(input?.ports ?? {}).map(
      ([number, port]): InboundPort => ({
        port: Number(number),
        protocol: port.protocol,
        ...accessOf(port, workload.namespace),
        serviceHost: hostOf(workload.name, workload.namespace),
        serviceName: workload.name,
        serviceNamespace: workload.namespace,
        origins: [{ ref: ref('Service', workload.namespace, workload.name), field: '' }],
      }),
    ),
    other: { ...accessOf(input?.other ?? {}, workload.namespace), origins: [] },
  };
}

function accessOf(input: AccessCase, namespace: string): Pick<InboundPort, 'mtls' | 'access'> {
  return {
    mtls: input.mtls ?? 'PERMISSIVE',
    access: {
      deny: (input.deny ?? []).map((policy) => policyOf(policy, namespace)),
      allow: input.allow?.map((policy) => policyOf(policy, namespace)) ?? null,
    },
  };
}

const anySource: AccessSource = {
  principals: [],
  notPrincipals: [],
  namespaces: [],
  notNamespaces: [],
  serviceAccounts: [],
  notServiceAccounts: [],
  ipBlocks: [],
  notIpBlocks: [],
};
const anyOperation: AccessOperation = {
  hosts: [],
  notHosts: [],
  methods: [],
  notMethods: [],
  paths: [],
  notPaths: [],
  ports: [],
  notPorts: [],
};

export function policyOf(input: PolicyCase, namespace: string): AccessPolicy {
  const origin: Origin = { ref: ref('AuthorizationPolicy', namespace, input.name), field: '' };
  return {
    name: `${namespace}/${input.name}`,
    rules: input.rules.map((rule) => ({
      from: (rule.from ?? []).map((source) => ({ ...anySource, ...source })),
      to: (rule.to ?? []).map((operation) => ({ ...anyOperation, ...operation })),
      when: (rule.when ?? []).map((condition) => ({
        ...condition,
        values: condition.values ?? [],
        notValues: condition.notValues ?? [],
      })),
    })),
    origin,
  };
}
