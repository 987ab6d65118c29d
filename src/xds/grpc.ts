import type { Http2Stream, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';

/** Status codes of gRPC, the ones we say. */
export const rpcCodes = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** Ends a call with a status. Its message reaches the other side; that of any other error does not. */
export class RpcError extends Error {
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RpcError';
    this.code = code;
  }
}

export type RefusalReason =
  | 'invalid-argument'
  | 'permission-denied'
  | 'failed-precondition'
  | 'resource-exhausted'
  | 'unauthenticated'
  | 'unavailable';

const refusals: Readonly<Record<RefusalReason, number>> = {
  'invalid-argument': rpcCodes.invalidArgument,
  'permission-denied': rpcCodes.permissionDenied,
  'failed-precondition': rpcCodes.failedPrecondition,
  'resource-exhausted': rpcCodes.resourceExhausted,
  unauthenticated: rpcCodes.unauthenticated,
  unavailable: rpcCodes.unavailable,
};

/** What a method throws to say no: the caller gets the reason as a gRPC status, and the message. */
export function callRefused(reason: RefusalReason, message: string, options?: ErrorOptions): RpcError {
  return new RpcError(refusals[reason], message, options);
}

export const largestMessage: number = 16 * 1024 * 1024;

/** The five bytes before each message: not compressed, and its length. */
export function messagePrefix(length: number): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(length, 1);
  return prefix;
}

/** Cuts what comes in into messages. Throws `RpcError` when it is no gRPC. */
export function createMessageReader(limit: number = largestMessage): (chunk: Buffer) => Buffer[] {
  let chunks: Buffer[] = [];
  let held = 0;
  let needed = 5;
  return (chunk) => {
    chunks.push(chunk);
    held += chunk.length;
    const messages: Buffer[] = [];
    // Joined only when a message is whole, so that a large one is copied once.
    while (held >= needed) {
      const all = Buffer.concat(chunks);
      const length = messageLength(all, limit);
      needed = 5 + length;
      chunks = [all];
      if (held < needed) break;
      messages.push(all.subarray(5, needed));
      chunks = [all.subarray(needed)];
      held -= needed;
      needed = 5;
    }
    return messages;
  };
}

function messageLength(prefix: Buffer, limit: number): number {
  if (prefix[0] !== 0) throw new RpcError(rpcCodes.unimplemented, 'compressed messages are not supported');
  const length = prefix.readUInt32BE(1);
  if (length <= limit) return length;
  throw new RpcError(
    rpcCodes.resourceExhausted,
    `a message of ${length} bytes is above the limit of ${limit}`,
  );
}

/** Answers with a status: as trailers when the answer has begun, else alone. Safe to call twice. */
export function endCall(stream: ServerHttp2Stream, code: number, message = ''): void {
  if (stream.destroyed || stream.writableEnded) return;
  const status = { 'grpc-status': String(code), ...(message && { 'grpc-message': encodeMessage(message) }) };
  // A client that is still sending is told to stop, after it has been told why.
  const stop = (): void => {
    if (!stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
  };
  if (!stream.headersSent) {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...status }, { endStream: true });
    stream.once('finish', stop);
    return;
  }
  stream.once('wantTrailers', () => {
    stream.sendTrailers(status);
    setImmediate(stop);
  });
  stream.end();
}

/** What an error says to the other side. */
export function statusOf(error: unknown): { readonly code: number; readonly message: string } {
  if (error instanceof RpcError) return { code: error.code, message: error.message };
  return { code: rpcCodes.internal, message: 'internal error' };
}

/** Percent-encoding of `grpc-message`: everything but printable ASCII, and `%` itself. */
function encodeMessage(message: string): string {
  return message.slice(0, 4_096).replace(/[^ -$&-~]+/g, (text) => encodeURIComponent(text.toWellFormed()));
}

function decodeMessage(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    // Not encoded as it should be, so it is shown as it came.
    return message;
  }
}

/** The status in headers or trailers, if they hold one. */
export function statusIn(headers: IncomingHttpHeaders): RpcError | undefined {
  const code = headers['grpc-status'];
  if (code === undefined) {
    const http = headers[':status'];
    if (http === undefined || Number(http) === 200) return undefined;
    return new RpcError(rpcCodes.unknown, `HTTP status ${http}`);
  }
  const message = headers['grpc-message'];
  return new RpcError(Number(code), decodeMessage(typeof message === 'string' ? message : ''));
}

const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds of a `grpc-timeout` header; `undefined` when there is none, or none that is right. */
export function parseTimeout(header: unknown): number | undefined {
  const match = typeof header === 'string' ? /^(\d{1,8})([HMSmun])$/.exec(header) : null;
  const unit = units[match?.[2] ?? ''];
  return match && unit !== undefined ? Number(match[1]) * unit : undefined;
}

/** Errors of a stream that has ended anyway are of no interest; unheard, they would end the process. */
export function ignoreErrors(stream: Http2Stream): void {
  stream.on('error', () => {});
}
