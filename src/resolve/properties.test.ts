import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { deepEqual, deepFreeze } from '../base/content.ts';
import type { Access } from '../model/access.ts';
import { endpointsKey, type Mesh } from '../model/mesh.ts';
import { refOf } from '../model/object-ref.ts';
import type { Backend, ClientView, ServicePortView } from '../model/traffic.ts';
import type { ObjectsByKind } from '../sources/specs.ts';
import type { KubeObject } from '../sources/types.ts';
import { createStore } from '../store/store.ts';
import { createResolver, type Resolved } from './resolve.ts';
import { anyAuthorizationPolicy, anyObject, anyObjects } from './testing/arbitrary.ts';
import { settings, viewOf } from './testing/view.ts';

const resolve = (objects: readonly KubeObject[]): Resolved =>
  createResolver(settings).resolve(viewOf(objects));

test('the order in which objects come has no meaning', () => {
  const shuffled = anyObjects.chain((objects) =>
    fc.tuple(fc.constant(objects), fc.shuffledSubarray(objects, { minLength: objects.length })),
  );
  fc.assert(
    fc.property(shuffled, ([objects, other]) => assert.deepEqual(resolve(other), resolve(objects))),
    { numRuns: 150 },
  );
});

test('incremental equals rebuilt, and what is equal keeps its reference', () => {
  const edit = fc.record({ object: anyObject, deleted: fc.boolean() });
  const batches = fc.array(fc.array(edit, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(anyObjects, batches, (start, edits) => {
      const store = createStore<ObjectsByKind>();
      const resolver = createResolver(settings);
      store.apply(start.map((object) => ({ kind: 'applied', object })));
      let last = resolver.resolve(store.view());
      for (const batch of edits) {
        store.apply(
          batch.map(({ object, deleted }) =>
            deleted ? { kind: 'deleted', ref: refOf(object) } : { kind: 'applied', object },
          ),
        );
        const next = resolver.resolve(store.view());
        const rebuilt = createResolver(settings).resolve(store.view());
        assert.deepEqual(next, rebuilt);
        assert.deepEqual(keysOf(next.mesh), keysOf(rebuilt.mesh));
        assertKept(last.mesh, next.mesh);
        last = next;
      }
    }),
    { numRuns: 150 },
  );
});

function keysOf({ services, workloads, endpoints, clients, inbound }: Mesh): string[][] {
  return [services, workloads, endpoints, clients, inbound].map((map) => [...map.keys()]);
}

function assertKept(last: Mesh, next: Mesh): void {
  const pairs: readonly (readonly [ReadonlyMap<string, unknown>, ReadonlyMap<string, unknown>])[] = [
    [last.services, next.services],
    [last.workloads, next.workloads],
    [last.endpoints, next.endpoints],
    [serviceViews(last), serviceViews(next)],
    [last.clients, next.clients],
  ];
  for (const [before, after] of pairs) {
    for (const [key, value] of after) {
      if (deepEqual(value, before.get(key)))
        assert.equal(value, before.get(key), `${key} is equal, but not the same`);
    }
  }
}

function serviceViews({ clients }: Mesh): ReadonlyMap<string, unknown> {
  const entries = (view: ClientView): [string, unknown][] =>
    view.services.map((service) => [`${view.namespace} ${service.service.key}`, service]);
  return new Map([...clients.values()].flatMap(entries));
}

test('the same view again is the same mesh', () => {
  fc.assert(
    fc.property(anyObjects, (objects) => {
      const resolver = createResolver(settings);
      const first = resolver.resolve(viewOf(objects));
      const second = resolver.resolve(viewOf(objects.map((object) => deepFreeze(structuredClone(object)))));
      assert.equal(second.mesh, first.mesh);
      assert.equal(second.problems, first.problems);
    }),
    { numRuns: 100 },
  );
});

test('every destination that a route names is one that the client has', () => {
  fc.assert(
    fc.property(anyObjects, (objects) => {
      for (const view of resolve(objects).mesh.clients.values()) {
        const ports = view.services.flatMap((service) => service.ports);
        const have = new Set(
          ports.flatMap(({ destinations }) => destinations.map(({ key }) => clusterOf(key))),
        );
        for (const backend of ports.flatMap(backendsOf)) {
          if (backend.kind === 'destination') assert.ok(have.has(clusterOf(backend.destination)));
        }
      }
    }),
    { numRuns: 200 },
  );
});

function clusterOf({ service, port, subset }: { service: string; port: number; subset: string }): string {
  return `${service} ${port} ${subset}`;
}

function backendsOf({ routes }: ServicePortView): readonly Backend[] {
  if (routes.kind === 'tcp') return routes.backends;
  return routes.rules.flatMap(({ action }) => (action.kind === 'forward' ? action.backends : []));
}

test('every service port has endpoints, an empty list if need be', () => {
  fc.assert(
    fc.property(anyObjects, (objects) => {
      const { services, endpoints } = resolve(objects).mesh;
      for (const { key, ports } of services.values()) {
        for (const { number } of ports) assert.ok(endpoints.has(endpointsKey(key, number)));
      }
    }),
    { numRuns: 100 },
  );
});

test('another DENY takes no DENY away, and lets nothing in', () => {
  fc.assert(
    fc.property(anyObjects, anyAuthorizationPolicy, (objects, policy) => {
      const deny = { ...policy, spec: { ...(policy.spec as object), action: 'DENY' } };
      const fresh = { ...deny, metadata: { ...deny.metadata, name: 'another' } };
      const before = resolve(objects).mesh.inbound;
      const after = resolve([...objects, deepFreeze(fresh)]).mesh.inbound;
      for (const [workload, view] of before) {
        const later = after.get(workload);
        assert.ok(later);
        assertNoWider(view.other.access, later.other.access);
        for (const port of view.ports) {
          const same = later.ports.find((one) => one.port === port.port);
          assert.ok(same);
          assertNoWider(port.access, same.access);
        }
      }
    }),
    { numRuns: 150 },
  );
});

function assertNoWider(before: Access, after: Access): void {
  assert.deepEqual(after.allow, before.allow);
  for (const policy of before.deny) assert.ok(after.deny.some((other) => deepEqual(other, policy)));
}

test('replicas share one inbound view, and namespaces without rules of their own one service view', () => {
  const fixed = [
    ...['r-1', 'r-2', 'r-3'].map((name) => replica('a', name)),
    replica('b', 'c-1'),
    replica('c', 'c-1'),
    serviceNamed('a', 'x'),
    ruleIn('c'),
  ];
  const { clients, inbound } = resolve(fixed).mesh;
  const views = [...inbound].filter(([key]) => key.startsWith('a/')).map(([, view]) => view);
  assert.equal(new Set(views).size, 1);
  assert.equal(clients.get('a')?.services, clients.get('b')?.services);
  assert.notEqual(clients.get('a')?.services[0], clients.get('c')?.services[0]);
});

type Meta = {
  readonly kind: 'Pod' | 'Service' | 'DestinationRule';
  readonly namespace: string;
  readonly name: string;
};

function made({ kind, namespace, name }: Meta, spec: object): KubeObject {
  const labels = { app: 'x', 'security.istio.io/tlsMode': 'istio' };
  const metadata = {
    name,
    namespace,
    labels,
    annotations: {},
    creationTimestamp: '',
    generation: 1,
    uid: '',
  };
  const apiVersion = kind === 'DestinationRule' ? 'networking.istio.io/v1' : 'v1';
  return deepFreeze({ apiVersion, kind, metadata: { ...metadata, ownerReferences: [] }, spec, rest: {} });
}

function replica(namespace: string, name: string): KubeObject {
  return made({ kind: 'Pod', namespace, name }, { containers: [{ name: 'app' }] });
}

function serviceNamed(namespace: string, name: string): KubeObject {
  const ports = [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }];
  return made({ kind: 'Service', namespace, name }, { type: 'ClusterIP', selector: { app: 'x' }, ports });
}

function ruleIn(namespace: string): KubeObject {
  const spec = { host: 'x.a.svc.cluster.local', trafficPolicy: { tls: { mode: 'DISABLE' } } };
  return made({ kind: 'DestinationRule', namespace, name: 'own' }, spec);
}
