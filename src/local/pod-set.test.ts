import assert from 'node:assert/strict';
import test from 'node:test';
import { parseObjects } from '../sources/sources.ts';
import { createAddresses } from './addresses.ts';
import { appEnvironment, crashDelay, shellLine } from './app.ts';
import { podSets } from './pod-set.ts';

function read(annotations: string, more = ''): ReturnType<typeof podSets> {
  const text = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: campus}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {${annotations}}
    spec:
      serviceAccountName: web
      containers:
        - name: app
          image: web
          ports: [{name: http, containerPort: 8080}]
          env:
            - {name: MODE, value: fast}
            - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: SECRET, valueFrom: {secretKeyRef: {name: x, key: y}}}
${more}`;
  const { objects, problems } = parseObjects(text, 'web.yaml');
  assert.deepEqual(problems, []);
  return podSets(objects.map(({ object }) => object));
}

test('a Deployment with a command line is a set of pods', () => {
  const { sets, problems } = read('weft.dev/run: node web.ts');
  assert.deepEqual(problems, []);
  const [set] = sets;
  assert.equal(set?.workload, 'web');
  assert.equal(set?.replicas, 2);
  assert.equal(set?.template.command, 'node web.ts');
  assert.equal(set?.template.meshed, true);
  assert.equal(set?.template.gracePeriod, 5_000);
  assert.deepEqual(set?.template.ports, [{ name: 'http', port: 8080, protocol: 'TCP' }]);
});

test('a Deployment without one is a warning, at the place where it belongs', () => {
  const { sets, problems } = read('other: thing');
  assert.deepEqual(sets, []);
  assert.equal(problems[0]?.code, 'WEFT-1213');
  assert.equal(problems[0]?.severity, 'warning');
  assert.equal(problems[0]?.field, 'spec.template.metadata.annotations');
});

test('the hash changes with the template and with nothing else', () => {
  const hash = (annotations: string, more = ''): string | undefined => read(annotations, more).sets[0]?.hash;
  assert.equal(hash('weft.dev/run: a'), hash('weft.dev/run: a'));
  assert.notEqual(hash('weft.dev/run: a'), hash('weft.dev/run: b'));
  const probe = '          readinessProbe: {httpGet: {path: /ok, port: http}}\n';
  assert.notEqual(hash('weft.dev/run: a'), hash('weft.dev/run: a', probe));
});

test('the sidecar can be kept away', () => {
  const { sets } = read('weft.dev/run: a, sidecar.istio.io/inject: "false"');
  assert.equal(sets[0]?.template.meshed, false);
});

test('an app finds its own environment and what it asked about itself, and no secrets', () => {
  const template = read('weft.dev/run: a').sets[0]?.template;
  assert.ok(template);
  const address = createAddresses({ firstUid: 10_000 }).take('campus/web-0');
  const pod = {
    namespace: 'campus',
    name: 'web-0',
    uid: 'u',
    createdAt: '',
    setKey: '',
    ownerKind: 'Deployment',
    workload: 'web',
    hash: '',
    template,
    address,
  };
  const env = appEnvironment(pod, '/bin');
  assert.deepEqual(env, {
    PATH: '/bin',
    HOSTNAME: 'web-0',
    HOME: '/tmp',
    LANG: 'C.UTF-8',
    MODE: 'fast',
    POD: 'web-0',
  });
});

test('a plain command takes the place of its shell, anything else keeps it', () => {
  assert.equal(shellLine('campus-pay web'), 'exec campus-pay web');
  assert.equal(shellLine("node -e 'x = 1'"), "exec node -e 'x = 1'");
  for (const line of ['a && b', 'A=1 b', 'cd x', 'a; b', 'a | b', 'if true', '(a)', 'exec a', 'a $(b)'])
    assert.equal(shellLine(line), line);
});

test('crashes wait longer and longer, and not for ever', () => {
  const waits = [0, 1, 2, 3, 10, 1_000].map((crashes) => crashDelay(crashes, () => 0.5));
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 30_000, 30_000]);
});

test('addresses are unique, come back to their pods, and end', () => {
  const addresses = createAddresses({ firstUid: 10_000, size: 3 });
  const first = addresses.take('a');
  assert.deepEqual(first, { index: 2, ip: '10.244.0.2', uid: 10_000, link: 'pod2' });
  const second = addresses.take('b');
  assert.notEqual(second.ip, first.ip);
  addresses.free('a');
  addresses.take('c');
  assert.deepEqual(addresses.take('a'), first);
  assert.throws(() => addresses.take('d'), { code: 'WEFT-2502' });
});
