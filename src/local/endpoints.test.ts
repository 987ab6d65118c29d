import assert from 'node:assert/strict';
import test from 'node:test';
import type { KubeObject } from '../sources/types.ts';
import { makeZone } from './dns.ts';
import { type EndpointPod, endpointSlices } from './endpoints.ts';
import { readyAddresses } from './forward.ts';
import { serviceRules } from './kube-proxy.ts';

function service(name: string, spec: object): KubeObject {
  const metadata = {
    name,
    namespace: 'campus',
    labels: {},
    annotations: {},
    creationTimestamp: '',
    generation: 1,
    uid: '',
    ownerReferences: [],
  };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec, rest: {} };
}

function pod(n: number, fields: Partial<EndpointPod> = {}): EndpointPod {
  return {
    namespace: 'campus',
    name: `web-${n}`,
    uid: `uid-${n}`,
    ip: `10.244.0.${n}`,
    labels: { app: 'web' },
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    ready: true,
    terminating: false,
    ...fields,
  };
}

const web = service('web', {
  clusterIP: '10.96.0.10',
  selector: { app: 'web' },
  ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }],
});

test('endpoints say what Kubernetes says of a pod that starts, runs and ends', () => {
  const pods = [
    pod(2),
    pod(3, { ready: false }),
    pod(4, { terminating: true }),
    pod(5, { labels: {} }),
    pod(6, { namespace: 'other' }),
  ];
  const [slice, ...others] = endpointSlices([web], pods);
  assert.deepEqual(others, []);
  assert.deepEqual(slice?.ports, [{ name: 'http', port: 8080, protocol: 'TCP' }]);
  assert.deepEqual(
    slice?.endpoints.map(({ ip, ready, serving, terminating }) => [ip, ready, serving, terminating]),
    [
      ['10.244.0.2', true, true, false],
      ['10.244.0.3', false, false, false],
      ['10.244.0.4', false, true, true],
    ],
  );
});

test('pods whose named port differs stand in slices of their own', () => {
  const odd = pod(3, { ports: [{ name: 'http', port: 9090, protocol: 'TCP' }] });
  const slices = endpointSlices([web], [pod(2), odd]);
  assert.deepEqual(
    slices.map(({ ports }) => ports[0]?.port).sort((a = 0, b = 0) => a - b),
    [8080, 9090],
  );
  assert.notEqual(slices[0]?.name, slices[1]?.name);
});

test('pods that the new selector leaves behind serve until their successors do, and no others', () => {
  const old = [pod(2, { successor: { app: 'shop' } }), pod(3, { labels: { app: 'shopping' } })];
  const before = endpointSlices([web], old);
  const renamed = service('web', { selector: { app: 'shop' }, ports: [] });
  const addresses = (pods: readonly EndpointPod[], last = before): readonly string[] =>
    endpointSlices([renamed], pods, last).flatMap(({ endpoints }) =>
      endpoints.filter(({ ready }) => ready).map(({ ip }) => ip),
    );
  const young = pod(4, { labels: { app: 'shop' } });
  assert.deepEqual(addresses([...old, { ...young, ready: false }]), ['10.244.0.2']);
  assert.deepEqual(addresses([...old, young]), ['10.244.0.2', '10.244.0.4']);
  assert.deepEqual(addresses(old.map((one) => ({ ...one, terminating: true })).concat(young)), [
    '10.244.0.4',
  ]);
  // A Service for the new ones alone never had the old.
  assert.deepEqual(addresses(old, []), []);
  // Those that nobody replaces are left behind at once.
  assert.deepEqual(addresses([pod(2)]), []);
});

test('a Service without a selector is not ours to fill', () => {
  assert.deepEqual(endpointSlices([service('elsewhere', { clusterIP: '10.96.0.9' })], [pod(2)]), []);
});

test('names lead to the VIP, and of a headless Service to the ready pods', () => {
  const headless = service('peers', { clusterIP: 'None', selector: { app: 'web' } });
  const slices = endpointSlices([web, headless], [pod(2), pod(3, { ready: false })]);
  assert.deepEqual(Object.fromEntries(makeZone([web, headless], slices)), {
    'web.campus.svc.cluster.local': ['10.96.0.10'],
    'peers.campus.svc.cluster.local': ['10.244.0.2'],
  });
});

test('rules spread over ready pods, and refuse what has none', () => {
  const some = serviceRules([web], endpointSlices([web], [pod(2), pod(3), pod(4, { ready: false })]));
  assert.match(
    some,
    /ip daddr 10\.96\.0\.10 tcp dport 80 dnat ip to numgen random mod 2 map \{ 0 : 10\.244\.0\.2 \. 8080, 1 : 10\.244\.0\.3 \. 8080 \}/,
  );
  const none = serviceRules([web], endpointSlices([web], []));
  assert.doesNotMatch(none, /dnat/);
  assert.match(none, /ip daddr 10\.96\.0\.0\/16 meta l4proto tcp reject with tcp reset/);
});

test('the way in takes a port by number or by name', () => {
  const view = { services: [web], slices: endpointSlices([web], [pod(2), pod(3, { ready: false })]) };
  const target = { namespace: 'campus', service: 'web' };
  for (const port of ['80', 'http'])
    assert.deepEqual(readyAddresses({ ...target, port }, view), [{ ip: '10.244.0.2', port: 8080 }]);
  assert.deepEqual(readyAddresses({ ...target, port: '81' }, view), []);
});
