import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { locateField, readObjects } from './object-file.ts';

const text = `# a route and its service
kind: List
apiVersion: v1
items:
  - apiVersion: v1
    kind: Service
    metadata:
      name: pay
      labels:
        app.kubernetes.io/name: pay
    spec:
      ports:
        - name: http
          port: 80
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: pay}
spec:
  rules:
    - backendRefs:
        - {name: pay, port: 80}
`;

describe('a field', () => {
  const { objects, problems } = readObjects(text, 'a.yaml');
  const table: readonly (readonly [number, string, string])[] = [
    [0, '', '5:5'],
    [0, 'metadata.name', '8:13'],
    [0, 'metadata.labels[app.kubernetes.io/name]', '10:33'],
    [0, 'metadata.labels.app.kubernetes.io/name', '10:33'],
    [0, 'spec.ports[0].port', '14:17'],
    [0, 'spec.ports[0].targetPort', '13:11'],
    [0, 'spec.ports[7].port', '13:9'],
    [0, 'spec.selector.app', '12:7'],
    [0, 'nowhere', '5:5'],
    [1, '', '16:1'],
    [1, 'spec.rules[0].backendRefs[0].port', '22:29'],
    [1, 'spec.rules[0].backendRefs[0].weight', '22:11'],
    [1, 'spec.rules[x][[.', '21:5'],
  ];
  for (const [index, field, place] of table) {
    it(`${field || 'that is the whole object'} stands at ${place}`, () => {
      assert.deepEqual(problems, []);
      const object = objects[index];
      assert.ok(object);
      const { line, column } = locateField(object, field);
      assert.equal(`${line}:${column}`, place);
    });
  }
});
