import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settings } from '../resolve/testing/view.ts';
import { validate } from './validate.ts';

const route = (more: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: fx, namespace: campus }
spec:
  hosts: [fx]
  http:
    - route: [{ destination: { host: fx } }]
      ${more}
`;

test('an object that asks for more than is supported is not accepted', () => {
  const { accepted, problems } = validate(
    route('fault: { abort: { httpStatus: 500 } }'),
    settings,
    undefined,
  );
  assert.equal(accepted, false);
  assert.ok(problems.some(({ code, field }) => code === 'WEFT-1101' && field.includes('fault')));
});

test('one that only refers to what may come later is accepted, with its problem', () => {
  const { accepted, problems } = validate(route('timeout: 1s'), settings, undefined);
  assert.equal(accepted, true);
  assert.ok(problems.length > 0);
});

test('what is no object is a problem, not an exception', () => {
  assert.equal(validate('kind: [', settings, undefined).accepted, false);
});
