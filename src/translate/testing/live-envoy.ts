/** One real Envoy that runs translated resources on loopback, and small servers behind it. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import type { JsonObject } from '@bufbuild/protobuf';
import { type RunningEnvoy, startEnvoy } from '../../../test/support/envoy.ts';

export type LiveEnvoy = AsyncDisposable & {
  readonly envoy: RunningEnvoy;
  /** The port that Envoy gave to a listener bound to port 0. */
  readonly portOf: (listener: string) => number;
};

export async function startLive(statics: {
  readonly clusters: readonly JsonObject[];
  readonly listeners: readonly JsonObject[];
}): Promise<LiveEnvoy> {
  const envoy = await startEnvoy({
    bootstrap: JSON.stringify({ static_resources: statics, stats_flush_interval: '0.1s' }),
    args: ['--file-flush-interval-msec', '100'],
  });
  await envoy.ready();
  const answer = await envoy.admin('/listeners?format=json');
  const ports = new Map<string, number>(
    JSON.parse(answer.body).listener_statuses.map((status: ListenerStatus) => [
      status.name,
      status.local_address.socket_address.port_value,
    ]),
  );
  return {
    envoy,
    portOf: (listener) => ports.get(listener) ?? 0,
    [Symbol.asyncDispose]: () => envoy[Symbol.asyncDispose](),
  };
}

type ListenerStatus = {
  readonly name: string;
  readonly local_address: { readonly socket_address: { readonly port_value: number } };
};

/** The listener bound to a free port of loopback, as capture would bring a connection to it. */
export function onLoopback(listener: JsonObject, port = 0, address = '127.0.0.1'): JsonObject {
  return {
    ...listener,
    bind_to_port: true,
    enable_reuse_port: false,
    address: { socket_address: { address, port_value: port } },
  };
}

/** What an echo server was asked. */
export type Echo = {
  readonly backend: string;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
};

export type Backend = AsyncDisposable & { readonly port: number };

/**
 * Answers with what it was asked. `?fail=<n>&status=<status>&key=<k>` fails the first n calls of a key, `?slow=<n>&key=<k>` leaves them
 * without an answer, `?reset=<n>&key=<k>` ends the connection.
 */
export async function startEcho(backend: string, address = '127.0.0.1'): Promise<Backend> {
  const seen = new Map<string, number>();
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? '/', 'http://echo').searchParams;
    const key = query.get('key') ?? '';
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    if (count <= Number(query.get('slow') ?? 0)) return;
    if (count <= Number(query.get('reset') ?? 0)) {
      request.socket.destroy();
      return;
    }
    const status = count <= Number(query.get('fail') ?? 0) ? Number(query.get('status')) : 200;
    const echo: Echo = {
      backend,
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      rawHeaders: request.rawHeaders,
    };
    response.writeHead(status, {
      'content-type': 'application/json',
      'x-from-app': 'yes',
      'x-attempts': count,
    });
    response.end(JSON.stringify(echo));
  });
  return listening(server, address);
}

/** Speaks HTTP/2 alone, as gRPC servers do, and answers with the path it was asked for. */
export async function startHttp2(address = '127.0.0.1'): Promise<Backend> {
  const server = createHttp2Server();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
    stream.end(String(headers[':path']));
  });
  return listening(server, address);
}

/** A server that speaks first and then echoes bytes. */
export async function startBanner(banner: string, address = '127.0.0.1'): Promise<Backend> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.write(banner);
    socket.pipe(socket);
  });
  return listening(server, address);
}

async function listening(server: Server | TcpServer, address: string): Promise<Backend> {
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  // A TCP server that listens has an address with a port.
  const { port } = server.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      if ('closeAllConnections' in server) server.closeAllConnections();
      server.close();
    },
  };
}
