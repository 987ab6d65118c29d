import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { cluster, endpoints, routes, tcpListener } from '../../test/support/resources.ts';
import { createLatest } from '../base/latest.ts';
import { silentLogger } from '../base/log.ts';
import { resourceTypes } from '../snapshot/resource.ts';
import { type Snapshot, snapshotOf } from '../snapshot/snapshot.ts';
import { RpcError } from './grpc.ts';
import { encodeAll } from './model-client.test.ts';
import type { RelayState } from './relay.ts';
import { type AdsServer, connectAds, createSettlements, type Fact, type Relay, serveAds } from './xds.ts';

const node = { id: 'shop/cart-1', cluster: 'cart', metadata: {}, envoyVersion: '1.40.0' };
const noErrors = { errors: new Map<string, string>() };

/** A control plane that can be stopped and started again on the same socket, and a relay that follows it. */
async function pair(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'weft-xds-'));
  const path = join(directory, 'control-plane.sock');
  const life = new AbortController();
  const snapshots = createLatest<Snapshot>();
  let facts: Fact[] = [];
  const heard = createLatest<number>();
  let server: AdsServer | undefined;
  const start = async (): Promise<void> => {
    server = await serveAds({
      listen: { path },
      order: 'written',
      open: (_, signal) => snapshots.follow(signal),
      onFacts: (_, more) => {
        facts.push(...more);
        heard.set(facts.length);
      },
      methods: { '/weft.Test/Add': async (body) => Number(Object(body).a) + Number(Object(body).b) },
      log: silentLogger,
    });
  };
  const stop = async (): Promise<void> => {
    await server?.[Symbol.asyncDispose]();
  };
  await start();
  const connection = connectAds({
    address: { path },
    signal: life.signal,
    log: silentLogger,
    random: () => 0.1,
  });
  const relay = connection.relay({ node, signal: life.signal });
  t.after(async () => {
    life.abort();
    await stop();
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    relay,
    connection,
    reader: reader(relay),
    start,
    stop,
    set: (...messages: Parameters<typeof encodeAll>[0]) => snapshots.set(snapshotOf(encodeAll(messages))),
    /** Waits until a fact of this kind is there about this name, and gives all. */
    async fact(kind: Fact['kind'], name: string): Promise<readonly Fact[]> {
      for await (const _ of heard.follow(life.signal)) {
        if (facts.some((fact) => fact.kind === kind && fact.name === name)) break;
      }
      const all = facts;
      facts = [];
      return all;
    },
  };
}

/** States until one satisfies; and every letter on the way. */
function reader(relay: Relay) {
  const states = relay.states[Symbol.asyncIterator]();
  return async (isDone: (state: RelayState) => boolean): Promise<RelayState> => {
    const responses: RelayState['responses'][number][] = [];
    for (let tries = 0; tries < 100; tries++) {
      const { value, done } = await states.next();
      assert(!done);
      const state: RelayState = value;
      responses.push(...state.responses);
      if (isDone(state)) return { ...state, responses };
    }
    throw new Error('it never came');
  };
}

const show = (snapshot: Snapshot): string[] =>
  resourceTypes
    .flatMap((type) => [...snapshot.names(type)].map((name) => `${type} ${name}`))
    .sort((a, b) => (a < b ? -1 : 1));

test('a relay has everything, empty types too, before it is complete', async (t) => {
  const { reader: read, set } = await pair(t);
  set(cluster('a'), endpoints('a', [1]));
  const state = await read(({ complete }) => complete);
  assert.deepEqual(show(state.snapshot), ['cluster a', 'endpoint a']);
  assert.deepEqual(new Set(state.responses.map(({ type }) => type)).size, 4);
});

test('a letter is answered when its reader says so, by name where something was refused', async (t) => {
  const { relay, reader: read, set, fact } = await pair(t);
  set(tcpListener('good', 'x'), tcpListener('bad', 'x'));
  const { responses } = await read(({ complete }) => complete);
  const letter = responses.find(({ type }) => type === 'listener');
  assert(letter);
  relay.settle(letter.nonce, { errors: new Map([['bad', 'port in use']]) });
  const facts = await fact('nacked', 'bad');
  assert(facts.some(({ kind, name }) => kind === 'acked' && name === 'good'));
  assert(facts.some(({ name, message }) => name === 'bad' && message === 'port in use'));
});

test('after a restart only what was not settled comes again, and what is gone is gone', async (t) => {
  const { relay, reader: read, set, fact, stop, start } = await pair(t);
  set(cluster('kept'), cluster('gone'), endpoints('open', [1]), endpoints('gone', [1]), routes('r', ['x']));
  const { responses } = await read(({ complete }) => complete);
  for (const { nonce, type } of responses) if (type !== 'endpoint') relay.settle(nonce, noErrors);
  await fact('acked', 'r');
  await stop();
  set(cluster('kept'), cluster('new'), endpoints('open', [1]), routes('r', ['x']));
  await start();
  const state = await read(({ snapshot }) => snapshot.get('cluster', 'new') !== undefined);
  const later = await read(({ snapshot }) => snapshot.get('endpoint', 'gone') === undefined);
  assert.deepEqual(show(later.snapshot), ['cluster kept', 'cluster new', 'endpoint open', 'route r']);
  const again = [...state.responses, ...later.responses].flatMap(({ resources }) =>
    resources.map(({ name }) => name),
  );
  assert.deepEqual([...new Set(again)].sort(), ['new', 'open']);
  // The new control plane knows what was settled with the old one.
  assert((await fact('acked', 'r')).some(({ kind, name }) => kind === 'acked' && name === 'kept'));
});

test('while the control plane is away nothing is lost, and it is found again', async (t) => {
  const { reader: read, set, stop, start } = await pair(t);
  set(cluster('a'));
  await read(({ complete }) => complete);
  await stop();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await start();
  set(cluster('a'), cluster('b'));
  const { snapshot } = await read((state) => state.snapshot.get('cluster', 'b') !== undefined);
  assert.deepEqual(show(snapshot), ['cluster a', 'cluster b']);
});

test('workloads of one node share resources in memory', async (t) => {
  const { connection, reader: read, set } = await pair(t);
  set(cluster('a'));
  const other = reader(
    connection.relay({ node: { ...node, id: 'shop/cart-2' }, signal: new AbortController().signal }),
  );
  const [one, two] = await Promise.all([read(({ complete }) => complete), other(({ complete }) => complete)]);
  assert.equal(one.snapshot.get('cluster', 'a'), two.snapshot.get('cluster', 'a'));
});

test('calls share the connection, wait for it, and fail with a status', async (t) => {
  const { connection, stop, start } = await pair(t);
  assert.equal(await connection.callUnary('/weft.Test/Add', { a: 1, b: 2 }), 3);
  await assert.rejects(
    connection.callUnary('/weft.Test/None', {}),
    (error) => error instanceof RpcError && error.code === 12,
  );
  await stop();
  await assert.rejects(
    connection.callUnary('/weft.Test/Add', {}, { timeoutMs: 100 }),
    (error) => error instanceof RpcError && error.code === 14,
  );
  const later = connection.callUnary('/weft.Test/Add', { a: 2, b: 2 });
  await start();
  assert.equal(await later, 4);
});

test("gRPC's own server understands our calls", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'weft-xds-'));
  const server = new grpc.Server();
  const json = {
    requestSerialize: toJson,
    responseSerialize: toJson,
    requestDeserialize: fromJson,
    responseDeserialize: fromJson,
  };
  const method = { requestStream: false as const, responseStream: false as const, ...json };
  server.addService(
    {
      echo: { path: '/weft.Test/Echo', ...method },
      no: { path: '/weft.Test/No', ...method },
      hang: { path: '/weft.Test/Hang', ...method },
    },
    {
      echo: (call: { request: unknown }, answer: grpc.sendUnaryData<unknown>) =>
        answer(null, { got: call.request }),
      no: (_: unknown, answer: grpc.sendUnaryData<unknown>) =>
        answer({ code: 7, details: 'größer als 100%' }),
      hang: () => {},
    },
  );
  const path = join(directory, 'judge.sock');
  await new Promise<void>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync(`unix:${path}`, credentials, (error) => (error ? reject(error) : resolve()));
  });
  const life = new AbortController();
  t.after(() => {
    life.abort();
    server.forceShutdown();
    rmSync(directory, { recursive: true, force: true });
  });
  const { callUnary } = connectAds({ address: { path }, signal: life.signal, log: silentLogger });
  assert.deepEqual(await callUnary('/weft.Test/Echo', { a: 'ü' }), { got: { a: 'ü' } });
  const fails = (code: number, message: RegExp) => (error: unknown) =>
    error instanceof RpcError && error.code === code && message.test(error.message);
  await assert.rejects(callUnary('/weft.Test/No', {}), fails(7, /^größer als 100%$/));
  await assert.rejects(callUnary('/weft.Test/Hang', {}, { timeoutMs: 100 }), fails(4, /./));
});

const toJson = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const fromJson = (bytes: Buffer): unknown => JSON.parse(bytes.toString());

test('a letter is settled by what Envoy did with all of it, or by a later letter', () => {
  const settled: [string, Record<string, string>][] = [];
  const { received, observed } = createSettlements((nonce, { errors }) =>
    settled.push([nonce, Object.fromEntries(errors)]),
  );
  const all = encodeAll([cluster('a'), cluster('b')]);
  const newer = encodeAll([cluster('a', { altStatName: 'new' })]);
  const [a, b] = all;
  assert(a && b && newer[0]);
  const fact = (kind: Fact['kind'], { name, version }: { name: string; version: string }, message = '') =>
    observed([{ kind, type: 'cluster', name, version, message }]);

  received({ nonce: '0.1', type: 'cluster', resources: all, removed: [] });
  fact('acked', a);
  assert.deepEqual(settled, []);
  fact('nacked', b, 'bad');
  assert.deepEqual(settled, [['0.1', { b: 'bad' }]]);

  // A newer letter for the same name, before Envoy has said anything about the older.
  received({ nonce: '0.2', type: 'cluster', resources: newer, removed: [] });
  received({ nonce: '0.3', type: 'cluster', resources: [a], removed: ['never-sent'] });
  assert.deepEqual(settled.slice(1), [
    ['0.2', {}],
    ['0.3', {}],
  ]);

  // What Envoy has is not gone until it says so.
  received({ nonce: '0.4', type: 'cluster', resources: [], removed: ['a'] });
  assert.equal(settled.length, 3);
  fact('removed', { name: 'a', version: '' });
  assert.deepEqual(settled.at(-1), ['0.4', {}]);
});

test('what an Envoy had that has gone is not waited for when the next one connects', () => {
  const settled: string[] = [];
  const { received, observed, connected } = createSettlements((nonce) => settled.push(nonce));
  const [a] = encodeAll([endpoints('a', [1])]);
  const [b] = encodeAll([endpoints('b', [1])]);
  assert(a && b);
  const fact = (kind: Fact['kind'], { name, version }: { name: string; version: string }) =>
    observed([{ kind, type: 'endpoint', name, version }]);
  connected();
  received({ nonce: '0.1', type: 'endpoint', resources: [a, b], removed: [] });
  fact('acked', a);
  fact('acked', b);

  // It ends. Nothing is answered until another one is there.
  received({ nonce: '0.2', type: 'endpoint', resources: [], removed: ['a'] });
  assert.deepEqual(settled, ['0.1']);
  connected();
  assert.deepEqual(settled, ['0.1', '0.2']);

  // What the next one has is to be heard from itself.
  received({ nonce: '0.3', type: 'endpoint', resources: [b], removed: [] });
  assert.deepEqual(settled, ['0.1', '0.2']);
  fact('sent', b);
  fact('acked', b);
  assert.deepEqual(settled, ['0.1', '0.2', '0.3']);
});
