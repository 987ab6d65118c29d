import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createLogger } from '../base/log.ts';
import { sleep } from '../base/time.ts';
import { type AgentWorkload, createRegistry, type Registry } from './agent-client.ts';

type Answer = { readonly status: number; readonly body: object };

const ok: Answer = { status: 200, body: {} };
const refusal: Answer = { status: 400, body: { error: 'The request is not valid: netns is missing.' } };

function workload(name: string): AgentWorkload {
  return {
    pod: { namespace: 'campus', name, uid: '1' },
    serviceAccount: 'default',
    netns: `/run/netns/${name}`,
    directory: `/run/weft/w/campus_${name}`,
    token: async () => 'token',
  };
}

type Scene = {
  readonly registry: Registry;
  /** `warn pod-1`: what was logged, in short. */
  readonly logged: () => readonly string[];
  /** What the agent was asked, as `PUT bad-0`. */
  readonly asked: readonly string[];
  /** What it answers from now on, by pod. */
  readonly answers: Map<string, Answer>;
  readonly startAgent: () => Promise<void>;
};

async function scene(t: TestContext): Promise<Scene> {
  const root = await mkdtemp(join(tmpdir(), 'weft-registry-'));
  const socket = join(root, 'agent.sock');
  const lines: string[] = [];
  const asked: string[] = [];
  const answers = new Map<string, Answer>();
  const server = createServer((request, response) => {
    const pod = request.url?.split('/')[3] ?? '';
    asked.push(`${request.method} ${pod}`);
    const { status, body } = answers.get(pod) ?? ok;
    request.resume().on('end', () => response.writeHead(status).end(JSON.stringify(body)));
  });
  const end = new AbortController();
  t.after(async () => {
    end.abort();
    server.close();
    server.closeAllConnections();
    await rm(root, { recursive: true });
  });
  const log = createLogger((line) => lines.push(line), Date.now);
  return {
    registry: createRegistry({ socket, clock: Date.now, log, signal: end.signal }),
    logged: () => lines.map((line) => JSON.parse(line)).map(({ level, pod = 'agent' }) => `${level} ${pod}`),
    asked,
    answers,
    startAgent: async () => await new Promise<void>((resolve) => server.listen(socket, resolve)),
  };
}

const endless = new AbortController().signal;

test('a pod that the agent refuses says why, once, and is no silence of the agent', async (t) => {
  const { registry, logged, asked, answers, startAgent } = await scene(t);
  await startAgent();
  answers.set('bad-0', refusal);
  let reason = '';
  const bad = registry.add(workload('bad-0'), endless, (why) => {
    reason = why;
  });
  const askedBad = (): number => asked.filter((what) => what === 'PUT bad-0').length;
  await until(() => askedBad() > 1);
  await registry.add(workload('good-0'), endless, () => assert.fail('it was taken at once'));
  const before = askedBad();
  await until(() => askedBad() > before + 1);
  assert.match(reason, /400 .*netns is missing/);
  assert.deepEqual(logged(), ['warn campus/bad-0']);

  answers.delete('bad-0');
  await bad;
  assert.deepEqual(logged(), ['warn campus/bad-0', 'info campus/bad-0']);
});

test('an agent that is away is told of once, and pods wait for it', async (t) => {
  const { registry, logged, startAgent } = await scene(t);
  const reasons = new Set<string>();
  const added = ['one-0', 'two-0'].map((name) =>
    registry.add(workload(name), endless, (why) => reasons.add(why)),
  );
  await until(() => reasons.size > 0);
  assert.match([...reasons].join(), /^the node agent does not answer: .*ENOENT/);
  await startAgent();
  await Promise.all(added);
  assert.deepEqual(logged(), ['warn agent', 'info agent']);
});

test('requests that were still under way at the end of a drain are told of', async (t) => {
  const { registry, logged, answers, startAgent } = await scene(t);
  await startAgent();
  await registry.add(workload('pay-0'), endless, () => {});
  answers.set('pay-0', { status: 200, body: { idle: true } });
  await registry.drain(workload('pay-0'));
  assert.deepEqual(logged(), []);
  answers.set('pay-0', { status: 200, body: { idle: false } });
  await registry.drain(workload('pay-0'));
  assert.deepEqual(logged(), ['warn campus/pay-0']);
});

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (holds()) return;
    await sleep(20);
  }
  assert.fail(`it never became true: ${holds}`);
}
