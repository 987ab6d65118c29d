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
import type { AdminError, MeshStatus, ObjectList, ObjectQuery, ProblemList, ProxyList } from './types.ts';

export type { ControlPlaneMetrics } from './metrics.ts';

/** Each is asked once per request and answers from memory. */
export type AdminReaders = {
  readonly status: () => MeshStatus;
  readonly objects: (query: ObjectQuery) => ObjectList;
  readonly proxies: () => ProxyList;
  readonly problems: () => ProblemList;
  readonly metrics: () => ControlPlaneMetrics;
  /** `undefined` when well, else what is wrong. */
  readonly unhealthy: () => string | undefined;
};

export type AdminOptions = { readonly path: string; readonly read: AdminReaders; readonly log: Logger };

/** Resolves when the socket takes calls; disposing ends open connections and removes the socket. */
export async function serveAdmin({ path, read, log }: AdminOptions): Promise<AsyncDisposable> {
  await rm(path, { force: true });
  const server = createServer((request, response) => {
    const answer = answerTo(request, read, log);
    response.writeHead(answer.status, { 'content-type': answer.type, 'cache-control': 'no-store' });
    response.end(answer.body);
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

type Route = (read: AdminReaders, query: URLSearchParams) => Answer;
const routes: Readonly<Record<string, Route>> = {
  '/v1/status': (read) => json(200, read.status()),
  '/v1/objects': (read, query) => json(200, read.objects(objectQuery(query))),
  '/v1/proxies': (read) => json(200, read.proxies()),
  '/v1/problems': (read) => json(200, read.problems()),
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

function answerTo(request: IncomingMessage, read: AdminReaders, log: Logger): Answer {
  const url = new URL(request.url ?? '/', 'http://admin');
  if (request.method !== 'GET') {
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
    return route(read, url.searchParams);
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
