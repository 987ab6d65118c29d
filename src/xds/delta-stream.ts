import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Logger } from '../base/log.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { createMessageReader, endCall, RpcError, rpcCodes, statusOf } from './grpc.ts';
import { step } from './step.ts';
import {
  type Fact,
  isWaiting,
  type Order,
  openStream,
  type StreamEvent,
  type StreamState,
} from './stream.ts';
import { type NodeId, readRequest, responseBuffers } from './wire.ts';
import { writeSlices } from './writer.ts';

/** Why a node gets nothing: a gRPC status code and a message for its log. */
export type Refusal = { readonly code: number; readonly message: string };

export type DeltaOptions = {
  readonly order: Order;
  /** Called with the first message of each stream. The signal aborts when the stream ends. */
  readonly open: (node: NodeId, signal: AbortSignal) => AsyncIterable<Snapshot> | Refusal;
  /** A client said more of itself in a later message than in its first. */
  readonly onNode?: (node: NodeId) => void;
  readonly onFacts: (nodeId: string, facts: readonly Fact[]) => void;
  readonly stallMs: number;
  readonly log: Logger;
  /** The last state of each client's newest stream, so that the next one can take away what is gone. */
  readonly memory: Map<string, { state: StreamState }>;
};

export type DeltaStream = { readonly tick: (now: number) => void };

/** One stream while it lives. */
type Live = {
  readonly http: ServerHttp2Stream;
  readonly options: DeltaOptions;
  readonly life: AbortController;
  /** Known from the first message on. */
  node: NodeId | undefined;
  box: { state: StreamState };
};

/** Serves one stream until either side ends it. All of its events are taken in one after the other. */
export function serveDelta(http: ServerHttp2Stream, options: DeltaOptions): DeltaStream {
  const live: Live = {
    http,
    options,
    life: new AbortController(),
    node: undefined,
    box: { state: openStream({ order: options.order }) },
  };
  http.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  const read = createMessageReader();
  http.on('data', (chunk: Buffer) => {
    if (live.life.signal.aborted) return;
    try {
      for (const message of read(chunk)) receive(live, message);
    } catch (error) {
      fail(live, error);
    }
  });
  http.on('end', () => {
    live.life.abort();
    endCall(http, rpcCodes.ok);
  });
  http.on('close', () => live.life.abort());
  return {
    tick(now) {
      if (isWaiting(live.box.state)) happen(live, { kind: 'tick', now });
    },
  };
}

function receive(live: Live, bytes: Buffer): void {
  const { node, request } = readRequest(bytes);
  if (live.node === undefined) {
    if (!node?.id) throw new RpcError(rpcCodes.invalidArgument, 'the first message names no node');
    begin(live, node);
  } else if (node?.id === live.node.id) {
    live.options.onNode?.(node);
  }
  if (request !== undefined) happen(live, { kind: 'request', request });
}

function begin(live: Live, node: NodeId): void {
  const { options, life } = live;
  const opened = options.open(node, life.signal);
  if ('code' in opened) throw new RpcError(opened.code, opened.message);
  live.node = node;
  live.box = { state: openStream({ order: options.order, previous: options.memory.get(node.id)?.state }) };
  remember(options, node.id, live.box);
  follow(live, opened).catch((error: unknown) => fail(live, error));
}

async function follow(live: Live, snapshots: AsyncIterable<Snapshot>): Promise<void> {
  for await (const snapshot of snapshots) {
    if (live.life.signal.aborted) return;
    happen(live, { kind: 'snapshot', snapshot });
  }
}

/** Nobody waits for what comes of an event, so an error of ours ends here: it costs this stream and no other. */
function happen(live: Live, event: StreamEvent): void {
  const { node, box, http, options } = live;
  if (live.life.signal.aborted || node === undefined) return;
  try {
    const { stream, send, facts } = step(box.state, event);
    box.state = stream;
    if (facts.length > 0) options.onFacts(node.id, facts);
    if (send.length === 0) return;
    writeSlices(http, send.flatMap(responseBuffers), options.stallMs).then(
      () => happen(live, { kind: 'writable' }),
      (error: unknown) => reset(live, String(error)),
    );
  } catch (error) {
    fail(live, error);
  }
}

function fail({ life, http, options, node }: Live, error: unknown): void {
  if (life.signal.aborted) return;
  const { code, message } = statusOf(error);
  if (code === rpcCodes.internal) {
    options.log.error('a stream ended with an error', { node: node?.id, error: String(error) });
  }
  life.abort();
  endCall(http, code, message);
}

/** A client that takes nothing any more gets no trailers either. */
function reset({ life, http, options, node }: Live, reason: string): void {
  if (life.signal.aborted) return;
  options.log.warn('a stream was reset', { node: node?.id, reason });
  life.abort();
  http.close(constants.NGHTTP2_CANCEL);
  http.destroy();
}

const mostRemembered = 10_000;

function remember({ order, memory }: DeltaOptions, id: string, box: { state: StreamState }): void {
  // A node agent names everything it has when it comes back.
  if (order === 'written') return;
  memory.delete(id);
  memory.set(id, box);
  for (const oldest of memory.keys()) {
    if (memory.size <= mostRemembered) break;
    memory.delete(oldest);
  }
}
