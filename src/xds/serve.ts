import { chmodSync, chownSync, lstatSync, unlinkSync } from 'node:fs';
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type DeltaOptions, type DeltaStream, serveDelta } from './delta-stream.ts';
import { endCall, ignoreErrors, rpcCodes } from './grpc.ts';
import type { StreamState } from './stream.ts';
import { serveUnary, type UnaryMethod } from './unary.ts';
import { deltaPath } from './wire.ts';

/** A unix socket, readable by its owner alone unless said otherwise; or a TCP address. */
export type Listen =
  | {
      readonly path: string;
      readonly mode?: number;
      readonly owner?: { readonly uid: number; readonly gid: number };
    }
  | { readonly host: string; readonly port: number };

export type ServeOptions = Pick<DeltaOptions, 'order' | 'open' | 'onNode' | 'onFacts' | 'log'> & {
  readonly listen: Listen;
  /** JSON methods by path, beside the delta stream. */
  readonly methods?: Readonly<Record<string, UnaryMethod>>;
  /** A client that reads nothing for so long is cut off. */
  readonly stallMs?: number;
};

export type AdsServer = AsyncDisposable & {
  /** The TCP port; 0 for a unix socket. */
  readonly port: number;
};

const tickMs = 1_000;
const pingEveryTicks = 20;
const pongWithinMs = 10_000;

/** Serves until disposed; then every stream has ended, and the socket is gone. */
export async function serveAds(options: ServeOptions): Promise<AdsServer> {
  const memory = new Map<string, { state: StreamState }>();
  const delta = { ...options, memory, stallMs: options.stallMs ?? 20_000 };
  const streams = new Set<DeltaStream>();
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer({ settings: { maxConcurrentStreams: 20_000 } });

  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  server.on('stream', (http, headers) => {
    ignoreErrors(http);
    route(http, headers, {
      methods: options.methods ?? {},
      log: options.log,
      delta() {
        const stream = serveDelta(http, delta);
        streams.add(stream);
        http.on('close', () => streams.delete(stream));
      },
    });
  });
  const timer = setInterval(beat(streams, sessions), tickMs);
  timer.unref();

  await listen(server, options.listen);
  const address = server.address();
  return {
    port: isInternet(address) ? address.port : 0,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}

type Serving = {
  readonly methods: Readonly<Record<string, UnaryMethod>>;
  readonly log: ServeOptions['log'];
  readonly delta: () => void;
};

function route(http: ServerHttp2Stream, headers: IncomingHttpHeaders, serving: Serving): void {
  const path = headers[':path'] ?? '';
  if (!headers['content-type']?.startsWith('application/grpc')) {
    http.respond({ ':status': 415 }, { endStream: true });
    return;
  }
  const method = Object.hasOwn(serving.methods, path) ? serving.methods[path] : undefined;
  if (headers[':method'] !== 'POST') endCall(http, rpcCodes.unimplemented, 'gRPC is spoken with POST');
  else if (path === deltaPath) serving.delta();
  else if (method !== undefined) serveUnary(http, headers, { method, log: serving.log });
  else endCall(http, rpcCodes.unimplemented, `there is no method ${path}`);
}

/** One timer for all: time goes by for streams that wait, and sessions that do not answer a ping end. */
function beat(streams: ReadonlySet<DeltaStream>, sessions: ReadonlySet<ServerHttp2Session>): () => void {
  let count = 0;
  return () => {
    const now = performance.now();
    for (const stream of streams) stream.tick(now);
    count += 1;
    if (count % pingEveryTicks === 0) for (const session of sessions) ping(session);
  };
}

function ping(session: ServerHttp2Session): void {
  if (session.destroyed) return;
  const late = setTimeout(() => session.destroy(), pongWithinMs);
  late.unref();
  session.ping(() => clearTimeout(late));
}

async function listen(server: Http2Server, where: Listen): Promise<void> {
  const failed = new Promise<never>((_, reject) => server.once('error', reject));
  const listening = new Promise<void>((resolve) => server.once('listening', resolve));
  if ('path' in where) {
    removeSocket(where.path);
    // Bound within the call, so nobody can connect before the mode is right.
    const before = process.umask(0o177);
    try {
      server.listen(where.path);
    } finally {
      process.umask(before);
    }
  } else {
    server.listen(where.port, where.host);
  }
  await Promise.race([listening, failed]);
  server.on('error', () => {});
  if (!('path' in where)) return;
  if (where.owner) chownSync(where.path, where.owner.uid, where.owner.gid);
  if (where.mode !== undefined) chmodSync(where.path, where.mode);
}

/** One that an earlier process left behind; anything else in its place is not ours to remove. */
function removeSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) unlinkSync(path);
}

function isInternet(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}
