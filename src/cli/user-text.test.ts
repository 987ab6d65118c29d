import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { expandObjectLists, withoutServed } from './user-text.ts';

const served = `# mine
apiVersion: v1
kind: Service
metadata:
  creationTimestamp: ""
  name: hello
  uid: ''
  managedFields:
    - manager: kubectl
status:
  loadBalancer: {}
spec: # kept
  ports: [{port: 80}]
`;

test('what the mesh says is blanked, line by line', () => {
  const text = withoutServed(served);
  assert.equal(text.length, served.length);
  const [at, before] = [text.split('\n'), served.split('\n')];
  assert.deepEqual(parse(text), {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'hello' },
    spec: { ports: [{ port: 80 }] },
  });
  for (const line of [0, 5, 11, 12]) assert.equal(at[line], before[line]);
});

test('in flow style, in JSON and in lists too', () => {
  const texts = [
    '{apiVersion: v1, kind: S, status: {a: [1]}, metadata: {uid: "", name: x, generation: 3}}',
    '{"status":{},"apiVersion":"v1","kind":"S","metadata":{"creationTimestamp":null,"name":"x"}}',
    'apiVersion: v1\nkind: S\nmetadata: {name: x, uid: u}\nstatus:\n',
  ];
  for (const text of texts) {
    assert.deepEqual(parse(withoutServed(text)), { apiVersion: 'v1', kind: 'S', metadata: { name: 'x' } });
  }
  const list = `kind: List\nmetadata: {resourceVersion: ""}\nitems:\n- ${texts[0]}\n`;
  assert.deepEqual(parse(withoutServed(list)).items, [
    { apiVersion: 'v1', kind: 'S', metadata: { name: 'x' } },
  ]);
});

test('nothing else is touched, and no broken text', () => {
  for (const text of ['', '# only\n', 'a: [', 'spec: {status: 1, uid: 2}\n', `${served}---\na: [`]) {
    assert.equal(withoutServed(text), text);
    assert.equal(expandObjectLists(text), text);
  }
});

test('an ObjectList is its objects', () => {
  const list = {
    kind: 'ObjectList',
    items: [{ object: { kind: 'A' }, applied: {} }, { object: { kind: 'B' } }],
  };
  assert.equal(
    expandObjectLists(`${JSON.stringify(list)}\n---\nkind: C\n`),
    'kind: A\n---\nkind: B\n---\nkind: C\n',
  );
});
