/** Many proxies in one process: delta streams as a node agent has them, so many on one connection, each answering at once. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from '../../gen/envoy/service/discovery/v3/discovery_pb.ts';
import { typeUrls } from '../../src/snapshot/resource.ts';
import { answer } from '../support/child.ts';

const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const types = ['cluster', 'endpoint', 'listener', 'route'] as const;
const streamsOnOne = 250;

/** What has come over all streams of one server. */
type Counts = { responses: number; bytes: number; lastAt: number; message: Buffer };
const counts = new Map<string, Counts>();
const sessions = new Map<string, ClientHttp2Session[]>();

function sessionFor(socket: string, number: number): ClientHttp2Session {
  const open = sessions.get(socket) ?? [];
  sessions.set(socket, open);
  const known = open[Math.floor(number / streamsOnOne)];
  if (known !== undefined) return known;
  const session = connect('http://bench', {
    createConnection: () => connectSocket(socket),
    peerMaxConcurrentStreams: 20_000,
  });
  session.on('error', (error) => {
    process.stderr.write(`clients: ${String(error)}\n`);
    process.exit(1);
  });
  open.push(session);
  return session;
}

type Request = {
  readonly node?: string;
  readonly type: string;
  readonly subscribe?: string[];
  readonly nonce?: string;
};

function requestMessage({ node, type, subscribe = [], nonce = '' }: Request): Buffer {
  const body = toBinary(
    DeltaDiscoveryRequestSchema,
    create(DeltaDiscoveryRequestSchema, {
      ...(node !== undefined && { node: { id: node } }),
      typeUrl: type,
      resourceNamesSubscribe: subscribe,
      responseNonce: nonce,
    }),
  );
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}

/** Cuts a stream into messages and acknowledges each. */
function follow(stream: ClientHttp2Stream, count: Counts): void {
  let chunks: Buffer[] = [];
  let held = 0;
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    held += chunk.length;
    count.bytes += chunk.length;
    for (;;) {
      const first = chunks[0];
      if (first === undefined || held < 5) return;
      const head = first.length >= 5 ? first : Buffer.concat(chunks);
      const length = 5 + head.readUInt32BE(1);
      if (held < length) return;
      const all = Buffer.concat(chunks);
      const message = all.subarray(0, length);
      chunks = length < all.length ? [all.subarray(length)] : [];
      held -= length;
      count.message = message;
      acknowledge(stream, message);
      count.responses += 1;
      count.lastAt = performance.now();
    }
  });
}

function acknowledge(stream: ClientHttp2Stream, message: Buffer): void {
  const { typeUrl, nonce } = fromBinary(DeltaDiscoveryResponseSchema, message.subarray(5));
  stream.write(requestMessage({ type: typeUrl, nonce }));
}

answer({
  /** Opens a stream for each node; resolves when every one has been answered for every type, if it will be. */
  async connect(question: { socket: string; nodes: readonly string[]; answered: boolean }) {
    const { socket, nodes, answered } = question;
    const count = counts.get(socket) ?? { responses: 0, bytes: 0, lastAt: 0, message: Buffer.alloc(0) };
    counts.set(socket, count);
    const from = { responses: count.responses, bytes: count.bytes, at: performance.now() };
    const before = sessions.get(socket)?.length ? (open.get(socket) ?? 0) : 0;
    for (const [index, node] of nodes.entries()) {
      const stream = sessionFor(socket, before + index).request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      stream.on('error', (error) => process.stderr.write(`clients: ${String(error)}\n`));
      follow(stream, count);
      for (const [place, type] of types.entries()) {
        const said = place === 0 ? { node } : {};
        stream.write(requestMessage({ ...said, type: typeUrls[type], subscribe: ['*'] }));
      }
      // As quickly as it is answered, and no quicker: a storm is another benchmark.
      const most = from.responses + (index - 20) * types.length;
      while (answered && count.responses < most) await sleep(1);
    }
    open.set(socket, before + nodes.length);
    const expected = from.responses + nodes.length * types.length;
    while (answered && count.responses < expected) await sleep(5);
    return { bytes: count.bytes - from.bytes, ms: performance.now() - from.at };
  },
  counts({ socket }: { socket: string }) {
    const { responses, bytes } = counts.get(socket) ?? { responses: 0, bytes: 0 };
    return { responses, bytes };
  },
  /** Waits for so many more responses than `from`; gives when the last one came, on the clock of all processes. */
  async wait({ socket, responses }: { socket: string; responses: number }) {
    const count = counts.get(socket);
    if (count === undefined) throw new Error('no clients there');
    while (count.responses < responses) await sleep(1);
    return { at: performance.timeOrigin + count.lastAt, message: count.message.toString('base64') };
  },
});

const open = new Map<string, number>();
