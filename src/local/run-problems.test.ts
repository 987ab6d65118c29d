import assert from 'node:assert/strict';
import test from 'node:test';
import { parseObjects } from '../sources/sources.ts';
import type { DeploymentObject, PodObject } from '../sources/specs.ts';
import { lastWords } from './app.ts';
import type { Pod, PodState } from './machine.ts';
import { createOutput } from './output.ts';
import { podObject } from './pod-object.ts';
import { podSets } from './pod-set.ts';
import { runProblems } from './run-problems.ts';

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: pay, namespace: campus}
spec:
  selector: {matchLabels: {app: pay}}
  template:
    metadata: {labels: {app: pay}, annotations: {weft.dev/run: there-is-no-such-command}}
    spec: {containers: [{name: app, image: none}]}
`;

const running: PodState = {
  phase: 'running',
  appReady: true,
  proxyReady: true,
  appPid: 7,
  proxyPid: 8,
  restarts: 0,
  proxyRestarts: 0,
  message: '',
  startedAt: '2026-01-01T00:00:00.000Z',
  trouble: undefined,
};
const crashing: PodState = {
  ...running,
  appReady: false,
  appPid: 0,
  restarts: 4,
  trouble: { reason: 'CrashLoopBackOff', message: 'exit code 127: sh: 1: nosuch: not found' },
};

/** As the control plane gets them: through the same schemas as anything else. */
function view(states: readonly PodState[]): Parameters<typeof runProblems>[0] {
  const deployments = read(deployment);
  const [set] = podSets(deployments).sets;
  assert.ok(set);
  const pods = states.map((state, index) => {
    const pod: Pod = {
      namespace: set.namespace,
      name: `pay-${set.hash}-${index}`,
      uid: `uid-${index}`,
      createdAt: '2026-01-01T00:00:00Z',
      setKey: set.key,
      ownerKind: 'Deployment',
      workload: set.workload,
      hash: set.hash,
      template: set.template,
      address: { index, ip: '10.244.0.2', uid: 10_000, link: 'pod2' },
    };
    const output = { app: createOutput(() => 0), proxy: createOutput(() => 0) };
    const nothing = { network: () => undefined, stop: () => {}, ended: Promise.resolve() };
    return JSON.stringify(podObject({ pod, state, output, ...nothing }));
  });
  // The schemas were checked just now.
  return { deployments: deployments as DeploymentObject[], pods: pods.flatMap(read) as PodObject[] };
}

function read(text: string) {
  const { objects, problems } = parseObjects(text, '');
  assert.deepEqual(problems, []);
  return objects.map(({ object }) => object);
}

const shown = (states: readonly PodState[]): readonly string[] =>
  runProblems(view(states)).map(
    ({ code, severity, ref, reason, message, fix }) =>
      `${code} ${severity} ${reason} ${ref.kind}: ${message.replaceAll(/pay-[a-z\d]+-/g, 'pay-')} (${fix.replace(/pay-[a-z\d]+-/, 'pay-')})`,
  );

test('an app that does not stay up is an error of its pod and of who asked for it', () => {
  const said = 'does not stay up (exit code 127: sh: 1: nosuch: not found), restarted 4 times';
  assert.deepEqual(shown([running, crashing]), [
    `WEFT-1213 error CrashLoopBackOff Pod: its app ${said} (weft logs campus/pay-1)`,
    `WEFT-1213 error CrashLoopBackOff Deployment: pod campus/pay-1 ${said} (weft logs campus/pay-1)`,
  ]);
  assert.match(shown([running, crashing, crashing])[2] ?? '', /Deployment: .*; and 1 more of its pods/);
  const unmade = {
    ...crashing,
    restarts: 0,
    trouble: { reason: 'CreateContainerError', message: 'no room' } as const,
  };
  assert.match(shown([unmade])[1] ?? '', /Deployment: pod campus\/pay-0 cannot be started \(no room\)/);
});

test('a pod that runs, starts or ends is none', () => {
  const starting: PodState = { ...running, phase: 'pending', appReady: false, appPid: 0, startedAt: '' };
  assert.deepEqual(shown([running, starting, { ...crashing, phase: 'stopping' }]), []);
});

test('of what an app said last, the line that tells why', () => {
  const last = (...texts: string[]): string => lastWords(texts.map((text) => ({ text })));
  assert.equal(last('listening', 'sh: 1: nosuch: not found'), 'sh: 1: nosuch: not found');
  assert.equal(
    last('Error: no database', '    at main (/app.js:1:7)', '', 'Node.js v24.0.0', '[weft] the app ended'),
    'Error: no database',
  );
  assert.equal(last(), '');
  assert.equal(last('x'.repeat(1_000)), '');
});
