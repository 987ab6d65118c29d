/** An app behind a sidecar or without one: answers everything with the same kilobyte. */
import { createServer } from 'node:http';
import { answer } from '../support/child.ts';

const body = Buffer.alloc(1024, 'x');
const server = createServer((_, response) => {
  response.writeHead(200, { 'content-length': body.length });
  response.end(body);
});
server.keepAliveTimeout = 600_000;

answer({
  listen: ({ host, port }: { host: string; port: number }) =>
    new Promise<void>((resolve) => {
      server.listen(port, host, resolve);
    }),
});
