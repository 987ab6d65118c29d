/** What holds for every mesh: sharing, determinism, references that resolve, and faults that stay where they are. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { JsonObject, Message } from '@bufbuild/protobuf';
import { toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { parse } from 'yaml';
import { registry } from '../../gen/registry.ts';
import { endpointsKey, type Mesh } from '../model/mesh.ts';
import { type WorkloadKey, workloadKey } from '../model/names.ts';
import { refKey } from '../model/object-ref.ts';
import { type EnvoyResource, type ResourceList, typeUrls } from '../snapshot/resource.ts';
import { type MeshCase, meshOf, type PolicyCase, workloadOf } from './testing/mesh-case.ts';
import { rewrite, toEnvoyJson } from './testing/static-envoy.ts';
import { createTranslator } from './translate.ts';

const testdata = join(import.meta.dirname, 'testdata');
const cases = readdirSync(testdata)
  .filter((file) => file.endsWith('.in.yaml'))
  .map((file): MeshCase => parse(readFileSync(join(testdata, file), 'utf8')));

/** All cases in one mesh would clash; each service of each case, under a name of its own, does not. */
const wide: MeshCase = {
  services: cases.flatMap((one, index) =>
    (one.services ?? []).map((service, at) => ({
      ...service,
      namespace: `ns${index}`,
      addresses: [`10.97.${index}.${at}`],
    })),
  ),
  inbound: { ports: Object.assign({}, ...cases.map((one) => one.inbound?.ports ?? {})) },
};

function resourcesOf(mesh: Mesh, workload: WorkloadKey): readonly EnvoyResource[] {
  return createTranslator().translate(mesh, workload).lists.flat();
}

function bytesOf(resource: EnvoyResource): string {
  const schema = registry.getMessage(typeUrls[resource.type].split('/')[1] ?? '');
  assert.ok(schema);
  // What `create` made with this schema.
  return Buffer.from(toBinary(schema, resource.message as Message)).toString('base64');
}

function everything(mesh: Mesh, workload: WorkloadKey): readonly string[] {
  return resourcesOf(mesh, workload).map((one) => `${one.type} ${one.name} ${bytesOf(one)}`);
}

describe('what comes out', () => {
  const { mesh, workload } = meshOf(wide);
  const resources = resourcesOf(mesh, workload);

  test('equal models give equal bytes, in the same order', () => {
    const again = meshOf(wide);
    assert.deepEqual(everything(again.mesh, again.workload), everything(mesh, workload));
  });

  test('no name is given twice', () => {
    const names = resources.map((one) => `${one.type} ${one.name}`);
    assert.equal(new Set(names).size, names.length);
  });

  test('every reference resolves', () => {
    const names = (type: EnvoyResource['type']): Set<string> =>
      new Set(resources.filter((one) => one.type === type).map((one) => one.name));
    const [clusters, endpoints, routes] = [names('cluster'), names('endpoint'), names('route')];
    for (const resource of resources) {
      const json = toEnvoyJson(resource);
      if (json.type === 'EDS') assert.ok(endpoints.has(resource.name), resource.name);
      for (const name of clustersNamedIn(json)) {
        assert.ok(name === 'InvalidBackend' || clusters.has(name), `${resource.name} → ${name}`);
      }
      for (const name of valuesOf(json, 'route_config_name')) assert.ok(routes.has(name), name);
    }
  });

  test('every resource names its objects, sorted', () => {
    for (const one of resources) {
      const keys = one.origin.map(refKey);
      assert.deepEqual(keys, [...new Set(keys)].sort());
      const fixed = /^(virtual|ready|.*Cluster$)/.test(one.name);
      assert.ok(fixed || keys.length > 0, `${one.type} ${one.name} has no origin`);
    }
  });
});

function clustersNamedIn(json: JsonObject): readonly string[] {
  const weighted: string[] = [];
  rewrite(json, (one) => {
    if (Array.isArray(one.clusters)) {
      for (const entry of one.clusters) weighted.push(String((entry as JsonObject).name));
    }
    return one;
  });
  return [...valuesOf(json, 'cluster'), ...weighted];
}

function valuesOf(json: JsonObject, key: string): readonly string[] {
  const found: string[] = [];
  rewrite(json, (one) => {
    const value = one[key];
    if (typeof value === 'string') found.push(value);
    return one;
  });
  return found;
}

describe('sharing', () => {
  const { mesh, workload } = meshOf(wide);
  const known = mesh.workloads.get(workload);
  const view = mesh.inbound.get(workload);
  assert.ok(known && view);

  /** The same Deployment once more, and another one in the same namespace. */
  const replica = {
    ...known,
    key: workloadKey('campus', 'client-2'),
    podName: 'client-2',
    addresses: ['10.244.0.10'],
  };
  const neighbour = workloadOf({ name: 'neighbour', addresses: ['10.244.0.11'] });
  const crowd: Mesh = {
    ...mesh,
    workloads: new Map([...mesh.workloads, [replica.key, replica], [neighbour.key, neighbour]]),
    inbound: new Map([...mesh.inbound, [replica.key, view], [neighbour.key, view]]),
  };
  const translator = createTranslator();
  const of = (from: Mesh, key: WorkloadKey): readonly ResourceList[] => translator.translate(from, key).lists;

  test('the same workload twice gets the same lists', () => {
    const first = of(mesh, workload);
    for (const [index, list] of of(mesh, workload).entries()) assert.equal(list, first[index]);
  });

  test('replicas share all but the clusters with their own address', () => {
    const [first, second] = [of(crowd, workload), of(crowd, replica.key)];
    const own = first.filter((list, index) => list !== second[index]);
    assert.equal(own.length, 1);
    assert.ok(own[0]?.every((one) => one.type === 'cluster' && one.name.startsWith('inbound|')));
  });

  test('neighbours share clusters, endpoints and routes; listeners carry their own labels', () => {
    const [first, second] = [of(crowd, workload), of(crowd, neighbour.key)];
    for (const [index, list] of first.entries()) {
      const types = new Set(list.map((one) => one.type));
      const shared = !types.has('listener') || list.some((one) => one.name === 'ready');
      const isOwn = list.some((one) => one.name.startsWith('inbound|'));
      assert.equal(list === second[index], shared && !isOwn, [...types].join());
    }
  });

  test('a change of endpoints touches one endpoint resource', () => {
    const [target] = mesh.endpoints.values();
    assert.ok(target);
    const changed: Mesh = {
      ...mesh,
      endpoints: new Map([
        ...mesh.endpoints,
        [endpointsKey(target.service, target.port), { ...target, endpoints: target.endpoints.slice(1) }],
      ]),
    };
    const [before, after] = [of(mesh, workload), of(changed, workload)];
    const lists = before.filter((list, index) => list !== after[index]);
    assert.equal(lists.length, 1);
    const old = new Set(before.flat());
    const fresh = after.flat().filter((one) => !old.has(one));
    const ofTarget = mesh.clients
      .get('campus')
      ?.services.find(({ service }) => service.key === target.service);
    const destinations = ofTarget?.ports.find(({ port }) => port.number === target.port)?.destinations ?? [];
    assert.equal(
      fresh.length,
      destinations.filter((one) => one.policy.loadBalancer?.kind !== 'passthrough').length,
    );
    assert.ok(fresh.every((one) => one.type === 'endpoint'));
    assert.equal(of({ ...changed, endpoints: new Map(changed.endpoints) }, workload)[2], after[2]);
  });

  test('a stranger gets nothing', () => {
    assert.deepEqual(translator.translate(mesh, workloadKey('campus', 'nobody')), {
      lists: [],
      problems: [],
    });
  });
});

const shuffledAccess = fc
  .uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 2 })
  .chain((names) =>
    fc.tuple(fc.constant(names.toSorted()), fc.shuffledSubarray(names, { minLength: names.length })),
  );

test('the order of policies has no meaning', () => {
  const policies = (names: readonly string[]): PolicyCase[] =>
    names.map((name) => ({ name, rules: [{ from: [{ principals: [`cluster.local/ns/x/sa/${name}`] }] }] }));
  const at = (names: readonly string[]): readonly string[] => {
    const access = { deny: policies(names), allow: policies(names) };
    const ports = { 80: { protocol: 'http', ...access }, 90: { protocol: 'tcp', ...access } } as const;
    const { mesh, workload } = meshOf({ inbound: { ports, other: access } });
    return everything(mesh, workload);
  };
  fc.assert(
    fc.property(shuffledAccess, ([sorted, shuffled]) => assert.deepEqual(at(shuffled), at(sorted))),
    { numRuns: 30 },
  );
});

test('what acts on a pod without declared ports is told as an origin of its listener', () => {
  const { mesh, workload } = meshOf({ inbound: {} });
  const view = mesh.inbound.get(workload);
  assert.ok(view);
  const ref = { group: 'security.istio.io', kind: 'PeerAuthentication', namespace: 'campus', name: 'strict' };
  const other = { ...view.other, mtls: 'STRICT', origins: [{ ref, field: 'spec' }] } as const;
  const inbound = new Map([[workload, { ...view, other }]]);
  const { lists } = createTranslator().translate({ ...mesh, inbound }, workload);
  assert.deepEqual(lists.flat().find(({ name }) => name === 'virtualInbound')?.origin, [ref]);
});

test('nobody can declare the port of the proxy itself, or it would call itself for ever', () => {
  const { mesh, workload } = meshOf({ inbound: { ports: { 15006: { protocol: 'tcp' } } } });
  const { lists } = createTranslator().translate(mesh, workload);
  const chains = JSON.stringify(valuesUnder(lists.flat(), 'filter_chains'));
  assert.match(chains, /"name":"guard"/);
  assert.doesNotMatch(chains, /"name":"15006-/);
});

describe('a fault stays where it is', () => {
  test('a rule that cannot be translated refuses its own requests, the others go on', () => {
    const { mesh, workload } = meshOf({
      services: [
        {
          name: 'pay',
          ports: {
            80: {
              protocol: 'http',
              rules: [
                { path: { exact: '/bad' }, requestHeaders: { add: [{ name: ':path', value: '/x' }] } },
                { path: { exact: '/good' } },
              ],
            },
          },
        },
      ],
    });
    const { lists, problems } = createTranslator().translate(mesh, workload);
    assert.deepEqual(
      problems.map(({ code, ref, field }) => [code, ref.name, field]),
      [['WEFT-1302', 'routes', 'spec.rules[0]']],
    );
    const route = lists.flat().find((one) => one.type === 'route');
    assert.ok(route);
    const text = JSON.stringify(toEnvoyJson(route));
    assert.match(text, /"path":"\/bad"}.*"direct_response":{"status":500}/);
    assert.match(text, /"path":"\/good"},"route"/);
  });

  for (const action of ['deny', 'allow'] as const) {
    test(`${action.toUpperCase()} that cannot be translated lets nobody through`, () => {
      const bad: PolicyCase = { name: 'bad', rules: [{ from: [{ ipBlocks: ['nowhere'] }] }] };
      const { mesh, workload } = meshOf({
        inbound: { ports: { 80: { protocol: 'http', mtls: 'STRICT', [action]: [bad] } } },
      });
      const { lists, problems } = createTranslator().translate(mesh, workload);
      assert.deepEqual(
        problems.map(({ code, ref }) => [code, ref.name]),
        [['WEFT-1302', 'bad']],
      );
      const filters = valuesUnder(lists.flat(), 'http_filters');
      const expected =
        action === 'deny'
          ? {
              action: 'DENY',
              policies: { 'campus/bad': { permissions: [{ any: true }], principals: [{ any: true }] } },
            }
          : {};
      assert.match(JSON.stringify(filters), new RegExp(escaped(`"rules":${JSON.stringify(expected)}`)));
    });
  }
});

function valuesUnder(resources: readonly EnvoyResource[], key: string): readonly unknown[] {
  const inbound = resources.find((one) => one.name === 'virtualInbound');
  assert.ok(inbound);
  const found: unknown[] = [];
  rewrite(toEnvoyJson(inbound), (one) => {
    if (one[key] !== undefined) found.push(one[key]);
    return one;
  });
  return found;
}

function escaped(text: string): string {
  return text.replace(/[[\]{}]/g, '\\$&');
}

describe('on a TCP port', () => {
  const policiesOn = (input: { deny?: PolicyCase[]; allow?: PolicyCase[] }): string => {
    const { mesh, workload } = meshOf({
      inbound: { ports: { 90: { protocol: 'tcp', mtls: 'STRICT', ...input } }, other: { mtls: 'STRICT' } },
    });
    const inbound = resourcesOf(mesh, workload).find((one) => one.name === 'virtualInbound');
    assert.ok(inbound);
    const rules: unknown[] = [];
    rewrite(toEnvoyJson(inbound), (one) => {
      if (one.rules !== undefined) rules.push(one.rules);
      return one;
    });
    return JSON.stringify(rules);
  };

  test('an ALLOW rule about requests is dropped whole, and nothing passes', () => {
    const rules = [{ to: [{ ports: [90] }, { methods: ['GET'] }] }];
    assert.equal(policiesOn({ allow: [{ name: 'get', rules }] }), '[{}]');
  });
  test('a DENY rule about requests loses that part, and denies more', () => {
    const rules = [{ from: [{ ipBlocks: ['10.0.0.0/8'] }], to: [{ methods: ['GET'], ports: [90] }] }];
    assert.equal(
      policiesOn({ deny: [{ name: 'get', rules }] }),
      JSON.stringify([
        {
          action: 'DENY',
          policies: {
            'campus/get[0]': {
              permissions: [{ destination_port: 90 }],
              principals: [{ direct_remote_ip: { address_prefix: '10.0.0.0', prefix_len: 8 } }],
            },
          },
        },
      ]),
    );
  });
});
