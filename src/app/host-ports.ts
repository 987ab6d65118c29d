import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { UpFailure } from './up-failure.ts';

/** The only things a mesh has on the host: two listeners on loopback, which end with this process. */
export type HostPort = { readonly port: number; readonly close: () => void };

export type PortWish = {
  readonly name: string;
  readonly option: string;
  /** Nobody asked for just this one: the next free one will do. */
  readonly preferred: number;
  /** This one or none; 0 is any. */
  readonly asked?: number | undefined;
};

const attempts = 50;

/** Carries each connection to the unix socket that `path` names at that moment. */
export async function forwardPort(wish: PortWish, path: () => string | undefined): Promise<HostPort> {
  const server = createServer({ allowHalfOpen: true }, (incoming) => {
    const socket = path();
    if (socket === undefined) {
      incoming.destroy();
      return;
    }
    const outgoing = connect({ path: socket, allowHalfOpen: true });
    incoming.pipe(outgoing).pipe(incoming);
    incoming.on('error', () => outgoing.destroy()).on('close', () => outgoing.destroySoon());
    outgoing.on('error', () => incoming.destroy()).on('close', () => incoming.destroySoon());
  });
  return await listen(server, wish);
}

export type MetricsOptions = {
  readonly wish: PortWish;
  readonly token: string;
  /** The node agent's socket. */
  readonly path: () => string | undefined;
};

/** Metrics for Prometheus, and nothing else of the agent's, for whoever shows the token. */
export async function serveMetrics({ wish, token, path }: MetricsOptions): Promise<HostPort> {
  const server = createHttpServer((incoming, response) => {
    const url = incoming.url ?? '';
    if (!shows(incoming, token))
      return refuse(
        response,
        401,
        'a bearer token is needed; it is in .weft/metrics-token of the mesh directory',
      );
    if (incoming.method !== 'GET' || !/^\/(?:metrics|targets)$/.test(url)) {
      return refuse(response, 404, 'here are GET /metrics and GET /targets');
    }
    const socketPath = path();
    if (socketPath === undefined) return refuse(response, 503, 'the mesh is starting');
    const headers = { accept: incoming.headers.accept ?? '*/*' };
    const asked = request({ socketPath, path: url, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, {
        'content-type': answer.headers['content-type'] ?? 'text/plain',
      });
      answer.pipe(response);
    });
    asked.on('error', (error) => refuse(response, 502, `the node agent does not answer: ${error.message}`));
    response.on('close', () => asked.destroy());
    asked.end();
  });
  return await listen(server, wish);
}

/** Kept over runs, so that a Prometheus need not be told again. */
export async function metricsToken(stateDirectory: string): Promise<string> {
  const path = join(stateDirectory, 'metrics-token');
  const kept = (await readFile(path, 'utf8').catch(() => '')).trim();
  if (/^[0-9a-f]{32}$/.test(kept)) return kept;
  const fresh = randomBytes(16).toString('hex');
  await writeFile(path, `${fresh}\n`, { mode: 0o600 });
  return fresh;
}

function shows(incoming: IncomingMessage, token: string): boolean {
  const shown = Buffer.from(incoming.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return shown.length === wanted.length && timingSafeEqual(shown, wanted);
}

function refuse(response: ServerResponse, status: number, text: string): void {
  if (!response.headersSent) response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(`${text}\n`);
}

async function listen(server: Server, wish: PortWish): Promise<HostPort> {
  const { preferred, asked } = wish;
  const first = asked ?? preferred;
  const tries = asked === undefined ? attempts : 1;
  for (let port = first; port < first + tries; port++) {
    const failure = await tryPort(server, port);
    if (failure === undefined) return { port: portOf(server), close: () => void server.close() };
    if (failure !== 'EADDRINUSE') throw portFailure(wish, failure);
  }
  throw portFailure(
    wish,
    asked === undefined ? `it and the ${attempts - 1} after it are taken` : 'it is taken',
  );
}

async function tryPort(server: Server, port: number): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException): void => resolve(error.code ?? error.message);
    server.once('error', failed);
    server.listen({ port, host: '127.0.0.1' }, () => {
      server.removeListener('error', failed);
      resolve(undefined);
    });
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function portFailure({ name, option, preferred, asked }: PortWish, why: string): UpFailure {
  return new UpFailure(`port ${asked ?? preferred} of this machine cannot be had for ${name}: ${why}`, {
    fixes: [`choose another with ${option}`],
  });
}
