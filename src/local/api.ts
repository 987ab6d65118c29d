import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { reasonOf } from '../base/errors.ts';
import type { Cluster } from './cluster.ts';
import { LocalError } from './errors.ts';
import { isReady } from './machine.ts';
import type { OutputLine } from './output.ts';
import type { RunningPod } from './pod.ts';

/** One workload, as `GET /v1/workloads` shows it. */
export type WorkloadReport = {
  readonly namespace: string;
  readonly pod: string;
  readonly workload: string;
  readonly ip: string;
  readonly phase: string;
  readonly ready: boolean;
  readonly meshed: boolean;
  /** In the mesh's process namespace; 0 when it does not run. */
  readonly pids: { readonly app: number; readonly proxy: number };
  readonly restarts: number;
  readonly proxyRestarts: number;
  /** Why it is not ready; `''` when it is. */
  readonly message: string;
  readonly createdAt: string;
};

type Pods = Pick<Cluster, 'pods' | 'synced' | 'problems'>;

const fallbackTail = 200;

/** Read-only, on a unix socket that only the mesh's owner can open. */
export async function serveRuntime(options: {
  readonly path: string;
  readonly cluster: Pods;
  /** Asks the cluster's DNS server, as a pod would. */
  readonly lookUp: (name: string) => Promise<readonly string[]>;
}): Promise<AsyncDisposable> {
  const closing = new AbortController();
  const server = createServer((request, response) => {
    respond(request, response, { ...options, closing: closing.signal }).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else send(response, 500, { error: reasonOf(error) });
    });
  });
  await rm(options.path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.on('error', (cause) => reject(cannotListen(options.path, cause)));
    server.listen(options.path, resolve);
  });
  await chmod(options.path, 0o600);
  return {
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

type Context = {
  readonly cluster: Pods;
  readonly lookUp: (name: string) => Promise<readonly string[]>;
  readonly closing: AbortSignal;
};

async function respond(request: IncomingMessage, response: ServerResponse, context: Context): Promise<void> {
  const url = URL.parse(request.url ?? '/', 'http://runtime');
  if (request.method !== 'GET') return send(response, 405, { error: `${request.method} is not served here` });
  switch (url?.pathname) {
    case '/v1/workloads':
      return send(response, 200, {
        synced: context.cluster.synced(),
        workloads: context.cluster.pods().map(report),
      });
    case '/v1/problems':
      return send(response, 200, { problems: context.cluster.problems() });
    case '/v1/dns':
      return send(response, 200, { addresses: await context.lookUp(url.searchParams.get('name') ?? '') });
    case '/v1/logs':
      return await sendLogs(url.searchParams, response, context);
    default:
      return send(response, 404, { error: `${url?.pathname ?? request.url} is not served here` });
  }
}

function report({ pod, state }: RunningPod): WorkloadReport {
  return {
    namespace: pod.namespace,
    pod: pod.name,
    workload: pod.workload,
    ip: pod.address.ip,
    phase: state.phase,
    ready: isReady(pod, state) && state.phase === 'running',
    meshed: pod.template.meshed,
    pids: { app: state.appPid, proxy: state.proxyPid },
    restarts: state.restarts,
    proxyRestarts: state.proxyRestarts,
    message: state.message,
    createdAt: pod.createdAt,
  };
}

/** Lines of JSON: `{time, stream, text}`. With `follow` the answer goes on until the reader, the pod or the mesh ends. */
async function sendLogs(query: URLSearchParams, response: ServerResponse, context: Context): Promise<void> {
  const workload = query.get('workload') ?? '';
  const container = query.get('container') ?? 'app';
  const running = context.cluster.pods().find(({ pod }) => `${pod.namespace}/${pod.name}` === workload);
  if (running === undefined) return send(response, 404, { error: `no workload ${workload}` });
  if (container !== 'app' && container !== 'proxy') {
    return send(response, 400, { error: `no container ${container}; containers are app and proxy` });
  }
  const output = running.output[container];
  const asked = Number.parseInt(query.get('tail') ?? '', 10);
  const tail = asked >= 0 ? asked : fallbackTail;
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  if (query.get('follow') !== 'true' && query.get('follow') !== '1') {
    response.end(output.tail(tail).map(line).join(''));
    return;
  }
  response.flushHeaders();
  const gone = new AbortController();
  const end = (): void => gone.abort();
  response.on('close', end);
  context.closing.addEventListener('abort', end);
  void running.ended.then(end);
  for await (const entry of output.follow(tail, gone.signal)) {
    if (!response.write(line(entry))) await drained(response, gone.signal);
  }
  context.closing.removeEventListener('abort', end);
  response.end();
}

function line(entry: OutputLine): string {
  return `${JSON.stringify(entry)}\n`;
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    response.once('drain', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

function cannotListen(path: string, cause: Error): LocalError {
  return new LocalError('WEFT-2505', {
    message: `The runtime cannot listen on ${path}: ${cause.message}`,
    fix: 'Is another mesh starting in the same namespaces?',
    cause,
  });
}
