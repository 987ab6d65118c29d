/**
 * The control plane's window: read-only HTTP with JSON over a unix socket that only its owner may open. What is
 * shown comes from the functions passed in, asked anew for each request; nothing here can change the mesh.
 */
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Logger } from '../base/log.ts';
import type { ObjectRef } from '../model/object-ref.ts';
import { type ControlPlaneMetrics, showMetrics } from './metrics.ts';
import type {
  AdminError,
  MeshStatus,
  ObjectList,
  ObjectQuery,
  ProblemList,
  ProxyList,
  Validation,
} from './types.ts';

export type { ControlPlaneMetrics } from './metrics.ts';

/** Each is asked once per request and answers from memory. */
export type AdminReaders = {
  readonly status: () => MeshStatus;
  readonly objects: (query: ObjectQuery) => ObjectList;
  readonly proxies: () => ProxyList;
  readonly problems: () => ProblemList;
  readonly validate: (text: string) => Validation;
  readonly metrics: () => ControlPlaneMetrics;
  /** `undefined` when well, else what is wrong. */
  readonly unhealthy: () => string | undefined;
};

export type AdminOptions = { readonly path: string; readonly read: AdminReaders; readonly log: Logger };

/** Resolves when the socket takes calls; disposing ends open connections and removes the socket. */
export async function serveAdmin({ path, read, log }: AdminOptions): Promise<AsyncDisposable> {
  await rm(path, { force: true });
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const answer = answerTo({ request, body }, read, log);
      response.writeHead(answer.status, { 'content-type': answer.type, 'cache-control': 'no-store' });
      response.end(answer.body);
    });
  });
  await listen(server, path);
  return {
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** Whether an object is one that the query asks for. */
export function objectMatches(query: ObjectQuery, ref: ObjectRef): boolean {
  return (
    (query.kind === undefined || query.kind === ref.kind) &&
    (query.namespace === undefined || query.namespace === ref.namespace) &&
    (query.name === undefined || query.name === ref.name)
  );
}

/** The mask is set for the moment of binding, so that the socket is never open to others, not even at first. */
async function listen(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
  await once(server, 'listening');
}

type Answer = { readonly status: number; readonly type: string; readonly body: string };

const textType = 'text/plain; charset=utf-8';

type Asked = { readonly query: URLSearchParams; readonly body: string };
type Route = (read: AdminReaders, asked: Asked) => Answer;
/** Takes objects as YAML in its body, and only says what would be said of them. */
const validatePath = '/v1/validate';
const largestBody = 8 * 1024 * 1024;

const routes: Readonly<Record<string, Route>> = {
  '/v1/status': (read) => json(200, read.status()),
  '/v1/objects': (read, { query }) => json(200, read.objects(objectQuery(query))),
  '/v1/proxies': (read) => json(200, read.proxies()),
  '/v1/problems': (read) => json(200, read.problems()),
  [validatePath]: (read, { body }) => json(200, read.validate(body)),
  '/metrics': (read) => ({
    status: 200,
    type: 'text/plain; version=0.0.4; charset=utf-8',
    body: showMetrics(read.metrics()),
  }),
  '/healthz': (read) => {
    const wrong = read.unhealthy();
    return { status: wrong === undefined ? 200 : 503, type: textType, body: `${wrong ?? 'ok'}\n` };
  },
};

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request) {
      size += chunk.length;
      if (size <= largestBody) chunks.push(chunk);
    }
  } catch {
    // The caller hung up; nobody waits for an answer.
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A target that is no URL is a path that nobody serves. */
function urlOf(request: IncomingMessage): URL {
  return URL.parse(request.url ?? '/', 'http://admin') ?? new URL('http://admin/-');
}

type Call = { readonly request: IncomingMessage; readonly body: string };

function answerTo({ request, body }: Call, read: AdminReaders, log: Logger): Answer {
  const url = urlOf(request);
  if (request.method !== (url.pathname === validatePath ? 'POST' : 'GET')) {
    return failed(405, {
      code: 'MethodNotAllowed',
      message: `${request.method} is not allowed: this socket only reads`,
      fix: 'change the mesh by its YAML files, or with: weft apply',
    });
  }
  const route = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined;
  if (!route) {
    const known = Object.keys(routes).join(', ');
    return failed(404, {
      code: 'NotFound',
      message: `nothing at ${url.pathname}`,
      fix: `ask for one of ${known}`,
    });
  }
  try {
    return route(read, { query: url.searchParams, body });
  } catch (cause) {
    log.error('a read failed', { path: url.pathname, error: String(cause) });
    return failed(500, {
      code: 'Internal',
      message: `the control plane failed to answer ${url.pathname}: ${String(cause)}`,
      fix: 'look into the log of the control plane',
    });
  }
}

function objectQuery(search: URLSearchParams): ObjectQuery {
  const [kind, namespace, name] = ['kind', 'namespace', 'name'].map((key) => search.get(key));
  return {
    ...(typeof kind === 'string' && { kind }),
    ...(typeof namespace === 'string' && { namespace }),
    ...(typeof name === 'string' && { name }),
  };
}

function json(status: number, body: unknown): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(body)}\n` };
}

function failed(status: number, error: Pick<AdminError, 'code' | 'message' | 'fix'>): Answer {
  const body: AdminError = { apiVersion: 'weft.dev/v1alpha1', kind: 'Error', ...error };
  return json(status, body);
}
