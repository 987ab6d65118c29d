import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** One JSON answer of a Campus Pay service. A string body goes out as HTML. */
export type Answer = { readonly status: number; readonly body: unknown; readonly location?: string };
export type Handler = (request: {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Readonly<Record<string, unknown>>;
}) => Promise<Answer> | Answer;

/** Headers that travel with a request from service to service, so that rules on them work behind the first hop. */
const travelling = ['x-tier', 'x-request-id', 'traceparent'];

async function readBody(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > 65536) throw new Error('body too large');
  }
  if (text === '') return {};
  if (request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true)
    return Object.fromEntries(new URLSearchParams(text));
  const value: unknown = JSON.parse(text);
  return value !== null && typeof value === 'object' ? { ...value } : {};
}

async function answer(handler: Handler, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  let result: Answer;
  try {
    result = await handler({
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: await readBody(request),
    });
  } catch (error) {
    result = { status: 500, body: { error: error instanceof Error ? error.message : String(error) } };
  }
  const html = typeof result.body === 'string';
  response.writeHead(result.status, {
    'content-type': html ? 'text/html; charset=utf-8' : 'application/json',
    ...(result.location === undefined ? {} : { location: result.location }),
  });
  response.end(html ? result.body : `${JSON.stringify(result.body)}\n`);
}

/** Serves until SIGTERM, then lets running requests end and exits. */
export function serve(port: number, handler: Handler): void {
  const server = createServer((request, response) => void answer(handler, request, response));
  server.keepAliveTimeout = 60_000;
  server.listen(port, '0.0.0.0', () => console.log(JSON.stringify({ message: 'listening', port })));
  endWith(() => server.close(() => process.exit(0)));
}

export function endWith(end: () => void): void {
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
}

export type Reply = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };

/** Calls another service by its name, passing on the headers that travel. Status 0: no answer at all. */
export async function call(
  url: string,
  from: IncomingMessage['headers'] = {},
  post?: Readonly<Record<string, unknown>>,
): Promise<Reply> {
  const headers: Record<string, string> = { accept: 'application/json' };
  for (const name of travelling) {
    const value = from[name];
    if (typeof value === 'string') headers[name] = value;
  }
  if (post !== undefined) headers['content-type'] = 'application/json';
  try {
    const response = await fetch(url, {
      method: post === undefined ? 'GET' : 'POST',
      headers,
      signal: AbortSignal.timeout(15_000),
      ...(post === undefined ? {} : { body: JSON.stringify(post) }),
    });
    const text = await response.text();
    return { status: response.status, body: asRecord(text) };
  } catch (error) {
    return { status: 0, body: { error: error instanceof Error ? error.message : String(error) } };
  }
}

function asRecord(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' ? { ...value } : { text };
  } catch {
    // A proxy's own answers are plain text.
    return { text };
  }
}
