import type { ClientHttp2Session, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Logger } from '../base/log.ts';
import {
  createMessageReader,
  endCall,
  ignoreErrors,
  messagePrefix,
  parseTimeout,
  RpcError,
  rpcCodes,
  statusIn,
  statusOf,
} from './grpc.ts';

/** Takes and gives JSON. Throws `RpcError` to say why not; of other errors the caller learns only that there was one. */
export type UnaryMethod = (body: unknown, signal: AbortSignal) => Promise<unknown>;

const contentType = 'application/grpc+json';
const largestBody = 1024 * 1024;
const longestCallMs = 30_000;

/** Answers one call. The method's signal aborts at the caller's deadline, or when the caller is gone. */
export function serveUnary(
  http: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  serving: { readonly method: UnaryMethod; readonly log: Logger },
): void {
  const life = new AbortController();
  const timeoutMs = Math.min(parseTimeout(headers['grpc-timeout']) ?? longestCallMs, longestCallMs);
  const timer = setTimeout(
    () => end(new RpcError(rpcCodes.deadlineExceeded, 'deadline exceeded')),
    timeoutMs,
  );
  http.on('close', () => {
    clearTimeout(timer);
    life.abort();
  });

  const end = (error: unknown): void => {
    const { code, message } = statusOf(error);
    if (code === rpcCodes.internal) serving.log.error('a call failed', { error: String(error) });
    life.abort();
    endCall(http, code, message);
  };
  const answer = (result: unknown): void => {
    if (http.destroyed || life.signal.aborted) return;
    http.respond({ ':status': 200, 'content-type': contentType }, { waitForTrailers: true });
    http.write(framedJson(result));
    endCall(http, rpcCodes.ok);
  };
  readBody(http)
    .then((body) => serving.method(body, life.signal))
    .then(answer)
    .catch(end);
}

function framedJson(value: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(value ?? null));
  return Buffer.concat([messagePrefix(body.length), body]);
}

/** The one message that the other side sends before it ends its half. */
function readBody(http: NodeJS.ReadableStream): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const read = createMessageReader(largestBody);
    const messages: Buffer[] = [];
    http.on('data', (chunk: Buffer) => {
      try {
        messages.push(...read(chunk));
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    http.on('error', reject);
    http.on('end', () => {
      const [message] = messages;
      if (message === undefined || messages.length > 1) {
        reject(new RpcError(rpcCodes.invalidArgument, `one message is needed, ${messages.length} came`));
        return;
      }
      try {
        resolve(JSON.parse(message.toString()));
      } catch (cause) {
        reject(new RpcError(rpcCodes.invalidArgument, 'the message is no JSON', { cause }));
      }
    });
  });
}

export type CallOptions = { readonly timeoutMs?: number; readonly signal?: AbortSignal };

/** Calls a method on an open session. Rejects with `RpcError`, also when the session fails or time is up. */
export function callOnSession(
  session: ClientHttp2Session,
  call: { readonly method: string; readonly body: unknown },
  { timeoutMs = 10_000, signal }: CallOptions = {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const http = session.request({
      ':method': 'POST',
      ':path': call.method,
      'content-type': contentType,
      te: 'trailers',
      'grpc-timeout': `${Math.min(Math.ceil(timeoutMs), 99_999_999)}m`,
    });
    ignoreErrors(http);
    let status: RpcError | undefined;
    const learn = (headers: IncomingHttpHeaders): void => {
      status ??= statusIn(headers);
    };
    const timer = setTimeout(() => {
      status = new RpcError(rpcCodes.deadlineExceeded, `${call.method}: no answer in time`);
      http.close();
    }, timeoutMs);
    const cancel = (): void => {
      status = new RpcError(rpcCodes.cancelled, `${call.method}: cancelled`);
      http.close();
    };
    signal?.addEventListener('abort', cancel, { once: true });
    http.on('response', learn);
    http.on('trailers', learn);
    const body = readBody(http).catch((error: unknown) => error);
    http.on('close', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
      if (status?.code === rpcCodes.ok) {
        void body.then((result) => (result instanceof Error ? reject(result) : resolve(result)));
      } else reject(status ?? new RpcError(rpcCodes.unavailable, `${call.method}: the connection ended`));
    });
    http.end(framedJson(call.body));
    if (signal?.aborted) cancel();
  });
}
