import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  createServer,
} from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { anyPack, StructSchema } from '@bufbuild/protobuf/wkt';
import * as grpc from '@grpc/grpc-js';
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from '../../gen/envoy/service/discovery/v3/discovery_pb.ts';
import { cluster, endpoints, tcpListener } from '../../test/support/resources.ts';
import { createLatest, type Latest } from '../base/latest.ts';
import { silentLogger } from '../base/log.ts';
import { type ResourceType, typeUrls } from '../snapshot/resource.ts';
import { type Snapshot, snapshotOf } from '../snapshot/snapshot.ts';
import { type DeltaStream, serveDelta } from './delta-stream.ts';
import { encodeAll } from './model-client.test.ts';
import type { ServeOptions } from './serve.ts';
import { patienceMs } from './step.ts';
import { deltaPath } from './wire.ts';
import { type AdsServer, callRefused, type Fact, type NodeId, serveAds } from './xds.ts';

type Served = {
  readonly path: string;
  readonly server: AdsServer;
  readonly snapshots: Latest<Snapshot>;
  readonly facts: Fact[];
  readonly nodes: NodeId[];
};

async function serve(t: TestContext, options: Partial<ServeOptions> = {}): Promise<Served> {
  const directory = mkdtempSync(join(tmpdir(), 'weft-xds-'));
  const path = join(directory, 'xds.sock');
  const snapshots = createLatest<Snapshot>();
  const facts: Fact[] = [];
  const nodes: NodeId[] = [];
  const server = await serveAds({
    listen: { path },
    order: 'acked',
    open: (node, signal) => {
      nodes.push(node);
      return snapshots.follow(signal);
    },
    onFacts: (_, more) => facts.push(...more),
    log: silentLogger,
    ...options,
  });
  t.after(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });
  return { path, server, snapshots, facts, nodes };
}

const raw = (bytes: Buffer): Buffer => bytes;

/** The judge: gRPC's own client on the delta method (or another), with messages as bytes. */
function judge(t: TestContext, path: string, method = deltaPath) {
  const client = new grpc.Client(`unix:${path}`, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  });
  const call = client.makeBidiStreamRequest(method, raw, raw);
  const received: DeltaDiscoveryResponse[] = [];
  const waiting: (() => void)[] = [];
  const status = new Promise<grpc.StatusObject>((resolve) => call.on('status', resolve));
  call.on('error', () => {});
  call.on('data', (bytes: Buffer) => {
    received.push(fromBinary(DeltaDiscoveryResponseSchema, bytes));
    waiting.shift()?.();
  });
  t.after(() => client.close());
  return {
    call,
    status,
    say(message: MessageInitShape<typeof DeltaDiscoveryRequestSchema>) {
      call.write(
        Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, message))),
      );
    },
    async next(): Promise<DeltaDiscoveryResponse> {
      if (received.length === 0) await new Promise<void>((resolve) => waiting.push(resolve));
      const response = received.shift();
      assert(response);
      return response;
    },
  };
}

const node = { id: 'shop/cart-1', cluster: 'cart', metadata: { zone: 'a' } };
const ask = (type: ResourceType) => ({ node, typeUrl: typeUrls[type] });

test("gRPC's own client subscribes, acknowledges, refuses and gets removals", async (t) => {
  const { path, snapshots, facts, nodes } = await serve(t);
  const all = encodeAll([cluster('a'), cluster('b'), endpoints('a', [1])]);
  snapshots.set(snapshotOf(all));
  const client = judge(t, path);
  client.say(ask('cluster'));
  const first = await client.next();
  assert.deepEqual(nodes, [{ ...node, envoyVersion: '' }]);
  assert.equal(first.typeUrl, typeUrls.cluster);
  assert.deepEqual(
    first.resources.map(({ name, version, resource }) => [name, version, Buffer.from(resource?.value ?? [])]),
    all.filter(({ type }) => type === 'cluster').map((r) => [r.name, r.version, Buffer.from(r.bytes)]),
  );
  client.say({ typeUrl: typeUrls.cluster, responseNonce: first.nonce });
  client.say({ typeUrl: typeUrls.endpoint, resourceNamesSubscribe: ['a', 'nowhere'] });
  const second = await client.next();
  assert.deepEqual([second.resources.map(({ name }) => name), second.removedResources], [['a'], ['nowhere']]);
  client.say({
    typeUrl: typeUrls.endpoint,
    responseNonce: second.nonce,
    errorDetail: { code: 3, message: 'no' },
  });
  client.say({ typeUrl: typeUrls.listener });
  await client.next();
  snapshots.set(snapshotOf(encodeAll([cluster('a')])));
  client.say({ typeUrl: typeUrls.route, resourceNamesSubscribe: [] });
  const third = await client.next();
  client.say({ typeUrl: third.typeUrl, responseNonce: third.nonce });
  client.call.end();
  assert.equal((await client.status).code, grpc.status.OK);
  assert(facts.some((fact) => fact.kind === 'acked' && fact.name === 'b'));
  assert(facts.some((fact) => fact.kind === 'nacked' && fact.message === 'no'));
});

test('resources larger than a slice arrive whole', async (t) => {
  const { path, snapshots } = await serve(t);
  const big = Array.from({ length: 40 }, (_, index) =>
    cluster(`c${index}`, { altStatName: 'x'.repeat(200_000) }),
  );
  snapshots.set(snapshotOf(encodeAll(big)));
  const client = judge(t, path);
  client.say(ask('cluster'));
  const { resources } = await client.next();
  assert.deepEqual(
    resources.map(({ name, resource }) => [name, resource?.value.length]),
    encodeAll(big).map(({ name, bytes }) => [name, bytes.length]),
  );
});

test('a node agent names what it refused in a Struct', async (t) => {
  const { path, snapshots, facts } = await serve(t, { order: 'written' });
  snapshots.set(snapshotOf(encodeAll([tcpListener('good', 'x'), tcpListener('bad', 'x')])));
  const client = judge(t, path);
  client.say({ ...ask('listener'), resourceNamesSubscribe: ['*'] });
  const { nonce } = await client.next();
  const fields = { bad: { kind: { case: 'stringValue' as const, value: 'port in use' } } };
  const details = [anyPack(StructSchema, create(StructSchema, { fields }))];
  client.say({
    typeUrl: typeUrls.listener,
    responseNonce: nonce,
    errorDetail: { code: 3, message: 'x', details },
  });
  client.call.end();
  await client.status;
  const told = facts
    .filter(({ kind }) => kind !== 'sent')
    .map(({ kind, name, message }) => [kind, name, message]);
  assert.deepEqual(told, [
    ['acked', 'good', undefined],
    ['nacked', 'bad', 'port in use'],
  ]);
});

test('what is no delta stream gets a status, and the server goes on', async (t) => {
  const refusal = { code: grpc.status.PERMISSION_DENIED, message: 'who is "größer" than 100%?' };
  const { path } = await serve(t, { open: () => refusal });
  const unknown = judge(t, path, '/some.Service/Method');
  assert.equal((await unknown.status).code, grpc.status.UNIMPLEMENTED);
  const garbage = judge(t, path);
  garbage.call.write(Buffer.from('this is no protobuf'));
  assert.equal((await garbage.status).code, grpc.status.INVALID_ARGUMENT);
  const nameless = judge(t, path);
  nameless.say({ typeUrl: typeUrls.cluster });
  assert.equal((await nameless.status).code, grpc.status.INVALID_ARGUMENT);
  const details = judge(t, path);
  details.say({
    ...ask('cluster'),
    errorDetail: { details: [{ typeUrl: 'x/google.protobuf.Struct', value: Uint8Array.of(255) }] },
  });
  assert.equal((await details.status).code, grpc.status.INVALID_ARGUMENT);
  const refused = judge(t, path);
  refused.say(ask('cluster'));
  const { code, details: message } = await refused.status;
  assert.deepEqual({ code, message }, refusal);
});

test('broken framing and bytes that are no HTTP/2 hurt only who sent them', async (t) => {
  const { path, snapshots } = await serve(t);
  snapshots.set(snapshotOf([]));
  assert.equal(await statusOfBytes(path, Buffer.from([0, 255, 255, 255, 255, 1])), '8');
  assert.equal(await statusOfBytes(path, Buffer.from([1, 0, 0, 0, 1, 1])), '12');
  assert.equal(await statusOfBytes(path, Buffer.from([0, 0, 0, 0, 9, 1])), '0');
  for (const bytes of [
    'GET / HTTP/1.1\r\n\r\n',
    '\0\0\0',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrubbish rubbish',
  ]) {
    const socket = connect(path);
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.end(bytes);
    socket.resume();
    await closed;
  }
  const client = judge(t, path);
  client.say(ask('cluster'));
  assert.deepEqual((await client.next()).resources, []);
});

/** Sends bytes as the body of a delta call and ends it. */
async function statusOfBytes(path: string, bytes: Buffer): Promise<unknown> {
  const session = openSession(path);
  const http = session.request({ ':method': 'POST', ':path': deltaPath, 'content-type': 'application/grpc' });
  http.on('error', () => {});
  const status = new Promise((resolve) =>
    http.on('trailers', (trailers) => resolve(trailers['grpc-status'])),
  );
  http.resume();
  http.end(bytes);
  const found = await status;
  session.destroy();
  return found;
}

function openSession(path: string): ClientHttp2Session {
  const session = connectHttp2('http://weft', { createConnection: () => connect(path) });
  session.on('error', () => {});
  return session;
}

/** Asks for every cluster, and reads nothing until it is resumed. */
function openPaused(t: TestContext, path: string, who = node): ClientHttp2Stream {
  const session = openSession(path);
  t.after(() => session.destroy());
  const http = session.request({ ':method': 'POST', ':path': deltaPath, 'content-type': 'application/grpc' });
  http.pause();
  http.on('error', () => {});
  const message = { ...ask('cluster'), node: who, resourceNamesSubscribe: ['*'] };
  const body = toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, message));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  http.write(Buffer.concat([prefix, body]));
  return http;
}

/** More than a transport takes at once. */
const large = (round: number): Snapshot =>
  snapshotOf(encodeAll([cluster('a', { altStatName: `${round}`.repeat(500_000) })]));

test('a reader that stalls holds no memory and is cut off; others go on', async (t) => {
  const { path, snapshots, facts } = await serve(t, { order: 'written', stallMs: 300 });
  snapshots.set(large(0));
  const http = openPaused(t, path);
  const ended = new Promise((resolve) => http.on('close', resolve));
  for (let round = 1; round < 100; round++) {
    snapshots.set(large(round));
    await new Promise((resolve) => setImmediate(resolve));
  }
  // One response is on its way; the ninety-nine others were never made.
  assert.equal(facts.filter(({ kind }) => kind === 'sent').length, 1);
  const other = judge(t, path);
  other.say({ ...ask('cluster'), resourceNamesSubscribe: ['*'] });
  assert.equal((await other.next()).resources.length, 1);
  await ended;
  assert.equal(http.rstCode, 8);
});

test('what throws when a reader is free again costs its stream alone', async (t) => {
  const errors: unknown[] = [];
  let calls = 0;
  const { path, snapshots } = await serve(t, {
    order: 'written',
    onFacts: (id) => {
      if (id !== 'shop/broken') return;
      calls += 1;
      if (calls === 2) throw new Error('a defect');
    },
    log: { ...silentLogger, error: (_, fields) => errors.push(fields) },
  });
  snapshots.set(large(0));
  const http = openPaused(t, path, { ...node, id: 'shop/broken' });
  const status = new Promise((resolve) => http.on('trailers', (said) => resolve(said['grpc-status'])));
  while (calls === 0) await new Promise(setImmediate);
  // Waits until the reader has taken the first.
  snapshots.set(large(1));
  http.resume();
  assert.equal(await status, String(grpc.status.INTERNAL));
  assert.deepEqual(errors, [{ node: 'shop/broken', error: 'Error: a defect' }]);
  const other = judge(t, path);
  other.say(ask('cluster'));
  assert.equal((await other.next()).resources.length, 1);
});

test('what throws in a tick costs its stream alone', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'weft-xds-'));
  const path = join(directory, 'xds.sock');
  const snapshots = createLatest<Snapshot>();
  let stream: DeltaStream | undefined;
  let defect = false;
  const server = createServer();
  server.on('session', (session) => t.after(() => session.destroy()));
  server.on('stream', (http) => {
    stream = serveDelta(http, {
      order: 'acked',
      open: (_, signal) => snapshots.follow(signal),
      onFacts: () => {
        if (defect) throw new Error('a defect');
      },
      stallMs: 20_000,
      log: silentLogger,
      memory: new Map(),
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => {
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  snapshots.set(snapshotOf(encodeAll([cluster('a')])));
  const client = judge(t, path);
  client.say(ask('cluster'));
  await client.next();
  // Held back, since the client has not answered; after a while it goes all the same.
  snapshots.set(snapshotOf(encodeAll([cluster('a'), cluster('b')])));
  await new Promise(setImmediate);
  defect = true;
  assert(stream);
  stream.tick(0);
  stream.tick(patienceMs);
  assert.equal((await client.status).code, grpc.status.INTERNAL);
});

test('the socket is for its owner alone, replaces a stale one, and goes with the server', async (t) => {
  const { path, server } = await serve(t);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await server[Symbol.asyncDispose]();
  assert.equal(statSync(path, { throwIfNoEntry: false }), undefined);
  writeFileSync(path, 'a file');
  const again = serveAds({
    listen: { path },
    order: 'acked',
    open: () => ({ code: 7, message: '' }),
    onFacts: () => {},
    log: silentLogger,
  });
  await assert.rejects(again, /EADDRINUSE/);
});

test('JSON calls answer, refuse and keep deadlines', async (t) => {
  let aborted: Promise<unknown> | undefined;
  const { path } = await serve(t, {
    methods: {
      '/weft.Test/Echo': async (body) => ({ got: body }),
      '/weft.Test/Refuse': async () => {
        throw callRefused('permission-denied', 'not yours');
      },
      '/weft.Test/Break': async () => {
        throw new Error('secret detail');
      },
      '/weft.Test/Hang': (_, signal) => {
        aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
        return new Promise(() => {});
      },
    },
  });
  const client = new grpc.Client(`unix:${path}`, grpc.credentials.createInsecure());
  t.after(() => client.close());
  const call = (method: string, body: string, deadlineMs = 5_000) =>
    new Promise<string>((resolve) => {
      const options = { deadline: Date.now() + deadlineMs };
      client.makeUnaryRequest(
        method,
        raw,
        raw,
        Buffer.from(body),
        new grpc.Metadata(),
        options,
        (error, answer) => resolve(error ? `${error.code} ${error.details}` : String(answer)),
      );
    });
  assert.equal(await call('/weft.Test/Echo', '{"a":[1,null,"ü"]}'), '{"got":{"a":[1,null,"ü"]}}');
  assert.equal(await call('/weft.Test/Refuse', '{}'), '7 not yours');
  assert.equal(await call('/weft.Test/Break', '{}'), '13 internal error');
  assert.equal(await call('/weft.Test/Echo', '{'), '3 the message is no JSON');
  assert.equal(await call('/weft.Test/None', '{}'), '12 there is no method /weft.Test/None');
  assert.equal(await call('/weft.Test/toString', '{}'), '12 there is no method /weft.Test/toString');
  assert.match(await call('/weft.Test/Hang', '{}', 200), /^4 /);
  await aborted;
});
