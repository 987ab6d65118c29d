import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formOf } from './directory-scan.ts';
import { type LocatedObject, parseObjects } from './sources.ts';
import type { KubeObject } from './types.ts';

const service = 'apiVersion: v1\nkind: Service\nmetadata: {name: ledger}\nspec: {ports: [{port: 80}]}\n';

function objectsOf(text: string): readonly LocatedObject[] {
  const { objects, problems } = parseObjects(text, 'a.yaml');
  assert.deepEqual(problems, []);
  return objects;
}

function onlyObject(text: string): KubeObject {
  const [first, ...more] = objectsOf(text);
  assert.ok(first && more.length === 0);
  return first.object;
}

describe('an object', () => {
  it('gets the defaults that an API server fills in', () => {
    assert.deepEqual(onlyObject(service), {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'ledger',
        namespace: 'default',
        labels: {},
        annotations: {},
        creationTimestamp: '',
        generation: 1,
        uid: onlyObject(service).metadata.uid,
        ownerReferences: [],
      },
      spec: { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] },
      rest: {},
    });
  });

  it('gets the defaults of defaults', () => {
    const route = onlyObject(
      'apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: pay}\nspec: {parentRefs: [{kind: Service, group: "", name: pay}]}\n',
    );
    assert.deepEqual(route.spec, {
      parentRefs: [{ kind: 'Service', group: '', name: 'pay' }],
      rules: [{ matches: [{ path: { type: 'PathPrefix', value: '/' } }] }],
    });
  });

  it('has one uid for one name, whatever else it says', () => {
    const uid = (text: string): string => onlyObject(text).metadata.uid;
    assert.match(uid(service), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(uid(service), uid(service.replace('80', '81')));
    assert.notEqual(uid(service), uid(service.replace('ledger', 'ledgers')));
  });

  it('counts older versions of its API as the one that is read', () => {
    for (const version of ['v1', 'v1beta1', 'v1alpha3']) {
      const { apiVersion } = onlyObject(
        `apiVersion: networking.istio.io/${version}\nkind: DestinationRule\nmetadata: {name: a}\nspec: {host: a}\n`,
      );
      assert.equal(apiVersion, 'networking.istio.io/v1');
    }
  });

  it('keeps fields that stand beside a spec, and knows cluster scope', () => {
    const slice = onlyObject(
      'apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a}\naddressType: IPv4\nendpoints: []\nports: [{port: 1}]\n',
    );
    assert.deepEqual(slice.rest, {
      addressType: 'IPv4',
      endpoints: [],
      ports: [{ port: 1, protocol: 'TCP' }],
    });
    assert.deepEqual(slice.spec, {});
    const { metadata } = onlyObject(
      'apiVersion: v1\nkind: Namespace\nmetadata: {name: campus, namespace: x}\n',
    );
    assert.equal(metadata.namespace, '');
  });

  it('keeps its time of creation, in UTC and to the second', () => {
    const at = service.replace('ledger', 'ledger, creationTimestamp: "2026-01-31T13:00:00.5+01:00"');
    assert.equal(onlyObject(at).metadata.creationTimestamp, '2026-01-31T12:00:00Z');
  });

  it('treats odd annotation names as plain text', () => {
    const odd = service.replace('ledger', 'ledger, annotations: {constructor: a, toString: b, __proto__: c}');
    const { annotations } = onlyObject(odd).metadata;
    assert.deepEqual(Object.entries(annotations), [
      ['constructor', 'a'],
      ['toString', 'b'],
      ['__proto__', 'c'],
    ]);
    assert.equal(Object.getPrototypeOf(annotations), Object.prototype);
  });

  it('may be as kubectl writes it, with nulls where nothing is', () => {
    const [only] = objectsOf(
      `${service.replace('ledger', 'ledger, creationTimestamp: null')}status: {loadBalancer: {}}\n`,
    );
    assert.equal(only?.object.metadata.creationTimestamp, '');
  });
});

describe('a text', () => {
  const good: Readonly<Record<string, readonly [string, number]>> = {
    empty: ['', 0],
    'only a comment': ['# nothing\n', 0],
    'only a separator': ['---\n', 0],
    'empty documents around one': [`---\n---\n# a\n---\n${service}---\n...\n`, 1],
    'Windows line ends': [service.replaceAll('\n', '\r\n'), 1],
    'no line end': [service.trimEnd(), 1],
    'a List': [`kind: List\napiVersion: v1\nitems:\n- ${service.trim().replaceAll('\n', '\n  ')}\n`, 1],
    'a ServiceList': [
      'kind: ServiceList\napiVersion: v1\nitems: [{metadata: {name: a}, spec: {ports: [{port: 1}]}}]\n',
      1,
    ],
    'an empty List': ['kind: List\napiVersion: v1\nitems: []\n', 0],
    JSON: [JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } }), 1],
    'kinds of other people': [
      'apiVersion: batch/v1\nkind: Job\n---\napiVersion: v1\nkind: Secret\n---\napiVersion: serving.knative.dev/v1\nkind: Service\n',
      0,
    ],
    'anchors and merges': [
      service.replace('{port: 80}', '&p {port: 80, name: a}, {<<: *p, name: b, port: 81}'),
      1,
    ],
  };
  for (const [name, [text, count]] of Object.entries(good)) {
    it(`may be ${name}`, () => assert.equal(objectsOf(text).length, count));
  }

  it('merges what it does not say itself', () => {
    const { spec } = onlyObject(
      service.replace('{port: 80}', '&p {port: 80, name: a}, {<<: *p, name: b, port: 81}'),
    );
    const { ports } = spec as { readonly ports: readonly { readonly name: string; readonly port: number }[] };
    assert.deepEqual(
      ports.map(({ name, port }) => [name, port]),
      [
        ['a', 80],
        ['b', 81],
      ],
    );
  });

  const bytes: Readonly<Record<string, readonly [Uint8Array, number, string | undefined]>> = {
    'UTF-8 with a byte order mark': [Buffer.from(`\uFEFF${service}`), 1, undefined],
    'UTF-16': [Buffer.from(`\uFEFF${service}`, 'utf16le'), 0, 'a.yaml is not YAML: it is UTF-16 @1'],
    Latin1: [
      Buffer.from(`${service}# caf\xe9\n`, 'latin1'),
      0,
      'a.yaml is not YAML: it is not UTF-8 text @5',
    ],
    'with a NUL': [Buffer.from(`${service}# \0\n`), 0, 'a.yaml is not YAML: it is not UTF-8 text @5'],
  };
  for (const [name, [content, count, says]] of Object.entries(bytes)) {
    it(`in ${name} ${says ? 'is refused' : 'is fine'}`, () => {
      const { objects, problems } = formOf(content, 'a.yaml');
      assert.equal(objects.length, count);
      assert.deepEqual(
        problems.map(({ message, location }) => `${message} @${location?.line}`),
        says ? [says] : [],
      );
    });
  }

  it('keeps its good documents when others are bad', () => {
    const other = service.replace('ledger', 'web');
    const { objects, problems } = parseObjects(
      `${service}---\na: [\n---\n${service.replace('80', 'x')}---\n${other}`,
      'a.yaml',
    );
    assert.deepEqual(
      objects.map(({ object }) => object.metadata.name),
      ['ledger', 'web'],
    );
    assert.deepEqual(
      objects.map(({ location }) => location.line),
      [1, 13],
    );
    assert.deepEqual(
      problems.map(({ code, location }) => [code, location?.line]),
      [
        ['WEFT-1001', 7],
        ['WEFT-1005', 11],
      ],
    );
  });
});
