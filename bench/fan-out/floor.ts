/** The least that can be done: streams of node:http2 that all get the same bytes, and whose answers are thrown away. */
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { answer } from '../support/child.ts';
import { cpuNow, memoryNow } from '../support/usage.ts';

const streams = new Set<ServerHttp2Stream>();
const server = createServer({ settings: { maxConcurrentStreams: 20_000 } });
server.on('stream', (stream) => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
  stream.on('data', () => {});
  stream.on('error', () => {});
  stream.on('close', () => streams.delete(stream));
  streams.add(stream);
});

answer({
  start: ({ socket }: { socket: string }) =>
    new Promise<void>((resolve) => {
      server.listen(socket, resolve);
    }),
  change({ bytes }: { bytes: string }) {
    const before = cpuNow();
    const message = Buffer.from(bytes, 'base64');
    for (const stream of streams) stream.write(message);
    return before;
  },
  cpu: cpuNow,
  memory: memoryNow,
});
