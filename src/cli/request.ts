import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { exitCodes } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import { asRecord } from './record.ts';

export type Call = {
  readonly socketPath: string;
  /** With its query. */
  readonly path: string;
  readonly signal: AbortSignal;
  /** Who is asked, for messages: `control plane`. */
  readonly who: string;
  /** Milliseconds until the first byte of the answer. */
  readonly timeout?: number;
  /** Sent with POST; without one it is a GET. */
  readonly body?: string;
};

/** The body as it comes. Only answers with status 200; all else is a `CommandFailure`. */
export async function openBody(call: Call): Promise<Readable> {
  const response = await send(call);
  if (response.statusCode === 200) return response;
  throw refused(call, response.statusCode ?? 0, await textOf(response));
}

export async function askText(call: Call): Promise<string> {
  return textOf(await openBody(call));
}

export async function askJson(call: Call): Promise<unknown> {
  const text = await askText(call);
  try {
    // Parsed JSON can be anything: callers look at it before they believe it.
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new CommandFailure(
      {
        exitCode: exitCodes.failure,
        message: `the ${call.who} answered ${call.path} with something that is not JSON`,
        next: 'weft version',
      },
      cause,
    );
  }
}

async function send({
  socketPath,
  path,
  signal,
  who,
  timeout = 10_000,
  body,
}: Call): Promise<IncomingMessage> {
  // Loaded when asked for: help and completion of words are there before it would be.
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    const sent = request(
      { socketPath, path, signal, method: body === undefined ? 'GET' : 'POST', agent: false },
      (response) => {
        sent.setTimeout(0);
        resolve(response);
      },
    );
    sent.setTimeout(timeout, () => sent.destroy(new Error(`no answer within ${timeout / 1000} s`)));
    sent.on('error', (cause) => reject(unreachable(who, cause)));
    sent.end(body);
  });
}

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) text += String(chunk);
  return text;
}

function unreachable(who: string, cause: NodeJS.ErrnoException): Error {
  if (cause.name === 'AbortError') return cause;
  if (cause.code === 'EACCES' || cause.code === 'EPERM') {
    return new CommandFailure(
      {
        exitCode: exitCodes.noPermission,
        message: `no permission to ask the ${who}`,
        why: 'the mesh was started by another user, and only that user may look into it',
        next: 'run the command as that user, or with sudo',
      },
      cause,
    );
  }
  return new CommandFailure(
    {
      exitCode: exitCodes.unreachable,
      message: `the ${who} does not answer`,
      why: cause.message,
      next: 'weft check',
    },
    cause,
  );
}

function refused(call: Call, status: number, body: string): CommandFailure {
  const said = messageIn(body);
  return new CommandFailure({
    // An older server says 405 to all that is not a GET.
    exitCode: status === 404 || status === 405 ? exitCodes.notFound : exitCodes.failure,
    message: `the ${call.who} refused ${call.path}: ${said || `status ${status}`}`,
    next: 'weft status',
  });
}

function messageIn(body: string): string {
  try {
    const { message: said, error } = asRecord(JSON.parse(body));
    if (typeof said === 'string' || typeof error === 'string') return String(said ?? error);
  } catch {
    // Not every server answers its errors in JSON; then the text is the message.
  }
  return body.trim().slice(0, 300);
}
