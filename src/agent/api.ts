import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Edge } from './edges.ts';
import type { AdminAnswer } from './envoy-admin.ts';
import { AgentError } from './errors.ts';
import { type PodName, parsePodName, parseWindow, readJson } from './request.ts';

/** What the platform, and nobody else on the machine, may ask of the agent. */
export type AgentApi = {
  readonly put: (pod: PodName, body: unknown) => Promise<void>;
  /** False when there was no such workload. */
  readonly remove: (pod: PodName) => Promise<boolean>;
  readonly drain: (pod: PodName, signal: AbortSignal) => Promise<{ readonly idle: boolean }>;
  readonly list: () => readonly object[];
  readonly metrics: () => Promise<string>;
  readonly targets: () => readonly object[];
  readonly edges: (seconds: number) => readonly Edge[];
  /** One of Envoy's own read-only pages. */
  readonly envoy: (pod: PodName, path: string) => Promise<AdminAnswer>;
};

type Answer = { readonly status: number; readonly contentType: string; readonly body: string };

/** Pages that only read. Envoy itself refuses to change anything by GET. */
const envoyPages: ReadonlySet<string> = new Set([
  ...[
    'certs',
    'clusters',
    'config_dump',
    'init_dump',
    'listeners',
    'memory',
    'ready',
    'runtime',
    'server_info',
  ],
  ...['stats', 'stats/prometheus', 'stats/recentlookups'],
]);

/** Serves on a unix socket that only its owner can open, until disposed. */
export async function serveApi(options: {
  path: string;
  api: AgentApi;
  log: Logger;
}): Promise<AsyncDisposable> {
  const { path, api, log } = options;
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    void respond({ request, response, api, log });
  });
  await rm(path, { force: true });
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(cannotListen(path, cause)));
      // Bound within the call, so nobody can connect before the mode is right.
      server.listen(path, resolve);
      process.umask(before);
    });
  } finally {
    process.umask(before);
  }
  await chmod(path, 0o600);
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly api: AgentApi;
  readonly log: Logger;
};

async function respond({ request, response, api, log }: Exchange): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  let answer: Answer;
  try {
    answer = await route(request, api, gone.signal);
  } catch (error) {
    answer = failure(error);
    if (answer.status === 500) log.error('a request failed', { path: request.url, reason: reasonOf(error) });
  }
  if (response.destroyed) return;
  response.writeHead(answer.status, {
    'content-type': answer.contentType,
    'x-content-type-options': 'nosniff',
    // A body that was not read to its end would be taken for the next request.
    ...(!request.complete && { connection: 'close' }),
  });
  response.end(answer.body);
}

async function route(request: IncomingMessage, api: AgentApi, signal: AbortSignal): Promise<Answer> {
  const { pathname, search, searchParams } = new URL(request.url ?? '/', 'http://agent');
  const [first = '', ...rest] = pathname.slice(1).split('/').map(decoded);
  const what = `${request.method} /${first}`;
  if (first === 'workloads' && rest.length >= 2)
    return await routeWorkload({ request, api, rest, search, signal });
  if (rest.length === 0 && what === 'GET /workloads') return json(200, api.list());
  if (rest.length === 0 && what === 'GET /metrics') {
    return {
      status: 200,
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      body: await api.metrics(),
    };
  }
  if (rest.length === 0 && what === 'GET /targets') return json(200, api.targets());
  if (rest.length === 0 && what === 'GET /edges')
    return json(200, api.edges(parseWindow(searchParams.get('window'))));
  return notServed(request);
}

type WorkloadExchange = {
  readonly request: IncomingMessage;
  readonly api: AgentApi;
  readonly rest: readonly string[];
  readonly search: string;
  readonly signal: AbortSignal;
};

async function routeWorkload({ request, api, rest, search, signal }: WorkloadExchange): Promise<Answer> {
  const [namespace = '', name = '', verb, ...page] = rest;
  const pod = parsePodName(namespace, name);
  const { method } = request;
  if (verb === undefined && method === 'PUT') {
    await api.put(pod, await readJson(request));
    return json(200, {});
  }
  if (verb === undefined && method === 'DELETE') return json((await api.remove(pod)) ? 200 : 404, {});
  if (verb === 'drain' && page.length === 0 && method === 'POST')
    return json(200, await api.drain(pod, signal));
  if (verb === 'envoy' && method === 'GET' && envoyPages.has(page.join('/'))) {
    return await api.envoy(pod, `/${page.join('/')}${search}`);
  }
  return notServed(request);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // Not encoded as it should be: it is no name of anything.
    return '';
  }
}

const statuses: Readonly<Record<string, number>> = { 'WEFT-2201': 400, 'WEFT-2202': 404, 'WEFT-2207': 502 };

function failure(error: unknown): Answer {
  if (!(error instanceof AgentError)) return json(500, { error: 'internal error' });
  return json(statuses[error.code] ?? 500, { error: error.message, code: error.code, fix: error.fix });
}

function notServed({ method, url }: IncomingMessage): Answer {
  return json(404, { error: `${method} ${url} is not served here` });
}

function json(status: number, value: unknown): Answer {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` };
}

function cannotListen(path: string, cause: Error): AgentError {
  return new AgentError('WEFT-2208', {
    message: `The node agent cannot listen on ${path}: ${cause.message}.`,
    fix: 'Its directory must exist and be writable for the agent, and the path have at most 107 bytes.',
    cause,
  });
}
