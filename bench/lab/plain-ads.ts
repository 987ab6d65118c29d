/**
 * The least that can configure an Envoy: answers each subscription from a table of resources, and writes what it is told
 * to write. It knows no mesh, checks nothing, and throws every answer away.
 */
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from '../../gen/envoy/service/discovery/v3/discovery_pb.ts';
import { answer } from '../support/child.ts';

/** `bytes` in base 64. */
type Entry = { readonly typeUrl: string; readonly name: string; readonly bytes: string };

let table = new Map<string, Entry>();
let nonce = 0;
const streams = new Set<ServerHttp2Stream>();

const server = createServer();
server.on('stream', (stream) => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
  stream.on('error', () => {});
  stream.on('close', () => streams.delete(stream));
  streams.add(stream);
  let held = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    for (; held.length >= 5 && held.length >= 5 + held.readUInt32BE(1); ) {
      const length = 5 + held.readUInt32BE(1);
      respond(stream, held.subarray(5, length));
      held = held.subarray(length);
    }
  });
});

function respond(stream: ServerHttp2Stream, bytes: Uint8Array): void {
  const request = fromBinary(DeltaDiscoveryRequestSchema, bytes);
  const { typeUrl, resourceNamesSubscribe: names } = request;
  if (request.errorDetail) process.stderr.write(`plain-ads: ${request.errorDetail.message}\n`);
  const all = names.includes('*') || (names.length === 0 && request.responseNonce === '');
  if (!all && names.length === 0) return;
  const found = all
    ? [...table.values()].filter((entry) => entry.typeUrl === typeUrl)
    : names.flatMap((name) => table.get(`${typeUrl} ${name}`) ?? []);
  stream.write(message(typeUrl, found));
}

function message(typeUrl: string, entries: readonly Entry[]): Buffer {
  const body = toBinary(
    DeltaDiscoveryResponseSchema,
    create(DeltaDiscoveryResponseSchema, {
      typeUrl,
      nonce: String(nonce++),
      resources: entries.map(({ name, bytes }) => ({
        name,
        version: String(nonce),
        resource: { typeUrl, value: Buffer.from(bytes, 'base64') },
      })),
    }),
  );
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}

answer({
  start: ({ socket }: { socket: string }) =>
    new Promise<void>((resolve) => {
      server.listen(socket, resolve);
    }),
  table({ entries }: { entries: readonly Entry[] }) {
    table = new Map(entries.map((entry) => [`${entry.typeUrl} ${entry.name}`, entry]));
  },
  /** Writes the entries to every stream. */
  push({ entries }: { entries: readonly Entry[] }) {
    const [first] = entries;
    if (first === undefined) return;
    const bytes = message(first.typeUrl, entries);
    for (const stream of streams) stream.write(bytes);
  },
});
