import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2';
import { nextWake } from '../base/latest.ts';
import type { Logger } from '../base/log.ts';
import { backoff, sleep } from '../base/time.ts';
import type { Resource } from '../snapshot/resource.ts';
import type { Interner, Snapshot } from '../snapshot/snapshot.ts';
import { type Cache, createCache, type Outcome, type RelayedType, relayedTypes } from './cache.ts';
import { type Connection, retry } from './connection.ts';
import { createMessageReader, ignoreErrors, RpcError, rpcCodes, statusIn } from './grpc.ts';
import { deltaPath, type NodeId, readResponse, requestBuffer } from './wire.ts';

/** One letter from the control plane, already in the cache. It waits for `settle`. */
export type RelayResponse = {
  readonly nonce: string;
  readonly type: RelayedType;
  readonly resources: readonly Resource[];
  readonly removed: readonly string[];
};

export type RelayState = {
  /** Everything the control plane has said so far, or the last time it was there. */
  readonly snapshot: Snapshot;
  /** False until the control plane has said everything once: a proxy that starts on less would start on a half. */
  readonly complete: boolean;
  /** The letters that led here since the last state. */
  readonly responses: readonly RelayResponse[];
};

export type Relay = {
  /** The newest state whenever it changes; a slow reader skips states, never letters. One reader. */
  readonly states: AsyncIterable<RelayState>;
  /** Says who the workload is from now on, at once and on every later stream. */
  readonly describe: (node: NodeId) => void;
  /** Answers a letter. Of no effect when its stream has ended since: what it held comes again. */
  readonly settle: (nonce: string, outcome: Outcome) => void;
};

export type RelayOptions = {
  readonly connection: Connection;
  readonly interner: Interner;
  readonly node: NodeId;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly random: () => number;
};

/** Follows one workload's resources, over as many streams as it takes, until the signal aborts. */
export function createRelay(options: RelayOptions): Relay {
  const cache = createCache(options.interner);
  const wakers = new Set<() => void>();
  const held: Held = {
    node: options.node,
    cache,
    letters: new Map(),
    responses: [],
    streams: 0,
    http: undefined,
    wake() {
      for (const wake of wakers) wake();
    },
  };
  void keepStreaming(options, held);

  async function* states(): AsyncGenerator<RelayState> {
    const { signal } = options;
    while (!signal.aborted) {
      if (held.responses.length > 0) {
        const responses = held.responses;
        held.responses = [];
        yield { snapshot: cache.snapshot(), complete: cache.complete(), responses };
        continue;
      }
      await nextWake(wakers, signal);
    }
  }

  return {
    states: states(),
    describe(node) {
      held.node = node;
      held.http?.write(requestBuffer({ node, type: 'cluster' }));
    },
    settle(nonce, outcome) {
      const letter = held.letters.get(nonce);
      if (letter === undefined) return;
      held.letters.delete(nonce);
      cache.settle(letter.type, letter.resources, outcome);
      const answer = { type: letter.type, nonce: letter.sent };
      const errors = outcome.errors.size > 0 ? { errors: outcome.errors } : {};
      held.http?.write(requestBuffer({ ...answer, ...errors }));
    },
  };
}

type Letter = { readonly type: RelayedType; readonly sent: string; readonly resources: readonly Resource[] };

/** What a relay holds over its streams. */
type Held = {
  node: NodeId;
  readonly cache: Cache;
  /** By our own nonce, which is unique over all streams. */
  readonly letters: Map<string, Letter>;
  responses: RelayResponse[];
  streams: number;
  http: ClientHttp2Stream | undefined;
  readonly wake: () => void;
};

async function keepStreaming(options: RelayOptions, held: Held): Promise<void> {
  const { signal, connection, log, node, random } = options;
  let said = '';
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      const session = await connection.session(signal);
      if (signal.aborted) return;
      const http = session.request({
        ':method': 'POST',
        ':path': deltaPath,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      const answers = await follow(http, options, held);
      if (answers > 0) attempt = 0;
    } catch (error) {
      const text = String(error);
      if (!signal.aborted && text !== said)
        log.warn('a stream to the control plane ended', { node: node.id, error: text });
      said = text;
    }
    if (!signal.aborted) await sleep(backoff(attempt, retry.baseMs, retry.capMs, random), signal);
  }
}

/** Runs one stream to its end; gives how many responses came, or rejects with its status. */
function follow(http: ClientHttp2Stream, options: RelayOptions, held: Held): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    let status: Error | undefined;
    const learn = (headers: IncomingHttpHeaders): void => {
      status ??= statusIn(headers);
    };
    const cancel = (): void => http.close(constants.NGHTTP2_CANCEL);
    const read = createMessageReader();
    const stream = held.streams++;
    held.letters.clear();
    held.responses = [];
    ignoreErrors(http);
    http.on('response', learn);
    http.on('trailers', learn);
    http.on('data', (chunk: Buffer) => {
      try {
        for (const message of read(chunk)) {
          receive(message, stream, held);
          count += 1;
        }
      } catch (error) {
        status ??= error instanceof Error ? error : new Error(String(error));
        cancel();
      }
    });
    http.on('close', () => {
      held.http = undefined;
      options.signal.removeEventListener('abort', cancel);
      if (count > 0) resolve(count);
      else reject(status ?? new RpcError(rpcCodes.unavailable, 'the stream ended'));
    });
    options.signal.addEventListener('abort', cancel, { once: true });
    if (options.signal.aborted) cancel();
    held.http = http;
    subscribeToAll(http, held.node, held.cache);
  });
}

function subscribeToAll(http: ClientHttp2Stream, node: NodeId, cache: Cache): void {
  cache.newStream();
  for (const [index, type] of relayedTypes.entries()) {
    const initial = cache.settledVersions(type);
    http.write(requestBuffer({ ...(index === 0 && { node }), type, subscribe: ['*'], initial }));
  }
}

function receive(message: Buffer, stream: number, held: Held): void {
  const response = readResponse(message);
  const { type, removed } = response;
  if (!isRelayed(type))
    throw new RpcError(rpcCodes.internal, `a response of type ${type}, which nobody asked for`);
  const resources = held.cache.apply(type, response);
  const nonce = `${stream}.${response.nonce}`;
  held.letters.set(nonce, { type, sent: response.nonce, resources });
  held.responses.push({ nonce, type, resources, removed });
  held.wake();
}

function isRelayed(type: string): type is RelayedType {
  return relayedTypes.some((relayed) => relayed === type);
}
