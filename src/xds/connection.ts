import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect as connectSocket, type Socket } from 'node:net';
import type { Logger } from '../base/log.ts';
import { backoff, sleep } from '../base/time.ts';
import { RpcError, rpcCodes } from './grpc.ts';

export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

/** Retries are quick: the other side is a restart away, and load is one connection a node. */
export const retry = { baseMs: 50, capMs: 1_000 } as const;

const pingEveryMs = 20_000;
const pongWithinMs = 10_000;

/** One HTTP/2 session that is made when someone needs it, and made again when it has ended. */
export type Connection = {
  /** Waits for a session; rejects only when the signal aborts. All who wait share one attempt. */
  readonly session: (signal: AbortSignal) => Promise<ClientHttp2Session>;
};

export type ConnectionOptions = {
  readonly address: Address;
  /** Ends the session and all attempts. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly random?: () => number;
};

export function createConnection(options: ConnectionOptions): Connection {
  const { address, signal, log, random = Math.random } = options;
  let current: ClientHttp2Session | undefined;
  let connecting: Promise<ClientHttp2Session> | undefined;
  let reachable = true;

  const connectUntilThere = async (): Promise<ClientHttp2Session> => {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const session = await open(address, signal);
        if (!reachable) log.info('connected again', { ...address });
        reachable = true;
        return session;
      } catch (error) {
        if (reachable && !signal.aborted)
          log.warn('not reachable; trying again', { ...address, error: String(error) });
        reachable = false;
        await sleep(backoff(attempt, retry.baseMs, retry.capMs, random), signal);
      }
    }
    throw new RpcError(rpcCodes.cancelled, 'the connection was given up');
  };

  return {
    async session(waiting) {
      if (current !== undefined && !current.closed && !current.destroyed) return current;
      connecting ??= connectUntilThere().finally(() => {
        connecting = undefined;
      });
      // Who stops waiting does not stop the attempt: others may wait for it too.
      current = await orAborted(connecting, waiting);
      return current;
    },
  };
}

function open(address: Address, signal: AbortSignal): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2('http://weft', {
      createConnection: (): Socket =>
        'path' in address ? connectSocket(address.path) : connectSocket(address),
      // Streams beyond what the server allows wait; the default of Node would be 100 until its settings come.
      peerMaxConcurrentStreams: 20_000,
    });
    const end = (): void => session.destroy();
    const pulse = setInterval(() => ping(session), pingEveryMs);
    pulse.unref();
    signal.addEventListener('abort', end, { once: true });
    session.once('connect', () => resolve(session));
    session.on('error', reject);
    session.on('close', () => {
      clearInterval(pulse);
      signal.removeEventListener('abort', end);
      reject(new Error('the connection ended'));
    });
    if (signal.aborted) end();
  });
}

function ping(session: ClientHttp2Session): void {
  if (session.connecting || session.destroyed) return;
  const late = setTimeout(() => session.destroy(), pongWithinMs);
  late.unref();
  session.ping(() => clearTimeout(late));
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new RpcError(rpcCodes.cancelled, 'no longer waiting for a connection'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
