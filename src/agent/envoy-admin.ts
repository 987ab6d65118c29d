import { type IncomingMessage, request } from 'node:http';
import { reasonOf } from '../base/errors.ts';
import { AgentError } from './errors.ts';

export type AdminAnswer = { readonly status: number; readonly contentType: string; readonly body: string };

const maxBody = 64 * 1024 * 1024;

export type AdminPatience = {
  /** Milliseconds of silence. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
};

/** Asks an Envoy over its admin socket. Bounded in time and size; throws WEFT-2207. */
export function askEnvoy(
  socketPath: string,
  path: string,
  patience: AdminPatience = {},
): Promise<AdminAnswer> {
  const { timeout = 5_000, signal } = patience;
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(noAnswer(socketPath, error));
    const options = { socketPath, path, method: 'GET', agent: false, timeout, ...(signal && { signal }) };
    const asked = request(options, (response) => {
      readBody(response).then((body) => {
        const contentType = response.headers['content-type'] ?? 'text/plain';
        resolve({ status: response.statusCode ?? 502, contentType, body });
      }, fail);
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer in ${timeout} ms`)));
    asked.on('error', fail);
    asked.end();
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxBody) throw new Error(`an answer of more than ${maxBody} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString();
}

/** Nobody is behind the socket: that Envoy has ended, or has not begun. */
export function isGone(error: unknown): boolean {
  const cause = error instanceof AgentError ? error.cause : undefined;
  return (
    cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED')
  );
}

function noAnswer(socketPath: string, cause: unknown): AgentError {
  return new AgentError('WEFT-2207', {
    message: `Envoy does not answer on ${socketPath}: ${reasonOf(cause)}.`,
    fix: 'It may be starting or have ended: see `weft logs` of the workload’s proxy.',
    cause,
  });
}
