/** Tables of calls, answered by a real Envoy that runs the translated routes. */
import assert from 'node:assert/strict';
import { type IncomingHttpHeaders, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { createCertificates } from './testing/certificates.ts';
import {
  type Backend,
  type Echo,
  type LiveEnvoy,
  onLoopback,
  startEcho,
  startLive,
} from './testing/live-envoy.ts';
import { meshOf, type RuleCase, type ServiceCase } from './testing/mesh-case.ts';
import { staticResources } from './testing/static-envoy.ts';
import { createTranslator } from './translate.ts';

type Call = {
  readonly method?: string;
  readonly path: string;
  readonly host?: string;
  readonly headers?: Record<string, string>;
  readonly status?: number;
  /** Of the answer. */
  readonly location?: string;
  readonly answer?: Record<string, string | undefined>;
  readonly body?: string;
  /** As the server saw it. */
  readonly backend?: string;
  readonly sawPath?: string;
  readonly sawHost?: string;
  readonly saw?: Record<string, string | undefined>;
};

type Table = {
  readonly protocol?: 'grpc';
  readonly name: string;
  readonly rules: readonly RuleCase[];
  readonly calls: readonly Call[];
};

const a = { service: 'a', port: 80 };
const b = { service: 'b', port: 80 };
const whole = [{ path: { pathPrefix: '/' }, to: [b] }];
const header = (name: string, value: string) =>
  ({ name, match: { kind: 'exact', value }, invert: false }) as const;
const retryOn = (statusCodes: number[], attempts: number, perTryTimeout?: number) => ({
  attempts,
  on: ['connect-failure'],
  statusCodes,
  backoff: 1,
  ...(perTryTimeout !== undefined && { perTryTimeout }),
});

const tables: readonly Table[] = [
  {
    name: 'paths',
    rules: [
      { path: { exact: '/exact' }, to: [a] },
      { path: { exact: '/nocase' }, ignoreCase: true, to: [a] },
      { path: { pathPrefix: '/elements/' }, to: [a] },
      { path: { prefix: '/raw' }, to: [a] },
      { path: { regex: '/r/[a-z]+' }, to: [a] },
      { path: { pathPrefix: '/b' }, to: [b] },
    ],
    calls: [
      { path: '/exact', backend: 'a' },
      { path: '/exact?q=1', backend: 'a', sawPath: '/exact?q=1' },
      { path: '/exact/', status: 404 },
      { path: '/Exact', status: 404 },
      { path: '/NoCase', backend: 'a' },
      { path: '/elements', backend: 'a' },
      { path: '/elements/x', backend: 'a' },
      { path: '/elementsx', status: 404 },
      { path: '/rawest', backend: 'a' },
      { path: '/r/abc', backend: 'a' },
      { path: '/r/abc/d', status: 404 },
      { path: '/x/../b/./c//d', backend: 'b', sawPath: '/b/c/d' },
      { path: '/b%2Fc', backend: 'b', sawPath: '/b/c' },
      { path: '/none', status: 404 },
    ],
  },
  {
    name: 'headers, methods, queries',
    rules: [
      {
        match: {
          method: { kind: 'exact', value: 'POST' },
          headers: [header('x-one', '1'), { name: 'x-no', match: { kind: 'present' }, invert: true }],
        },
        to: [a],
      },
      {
        match: { query: [{ name: 'term', match: { kind: 'regex', value: '[0-9]+' }, invert: false }] },
        to: [a],
      },
      { match: { authority: { kind: 'suffix', value: '.b.example' } }, to: [b] },
      {
        match: { headers: [{ name: 'x-any', match: { kind: 'prefix', value: '' }, invert: false }] },
        to: [b],
      },
    ],
    calls: [
      { method: 'POST', path: '/', headers: { 'x-one': '1' }, backend: 'a' },
      { method: 'GET', path: '/', headers: { 'x-one': '1' }, status: 404 },
      { method: 'POST', path: '/', headers: { 'x-one': '1', 'x-no': '' }, status: 404 },
      { path: '/?term=42', backend: 'a' },
      { path: '/?term=42a', status: 404 },
      { path: '/', host: 'www.b.example', backend: 'b' },
      { path: '/', headers: { 'x-any': 'thing' }, backend: 'b' },
    ],
  },
  {
    name: 'header rules',
    rules: [
      {
        path: { pathPrefix: '/rule' },
        requestHeaders: {
          set: [
            { name: 'x-set', value: '50%' },
            { name: 'x-empty', value: '' },
            { name: 'host', value: 'set.example' },
          ],
          add: [{ name: 'x-add', value: 'more' }],
          remove: ['x-gone'],
        },
        responseHeaders: { set: [{ name: 'x-from-app', value: 'no' }], remove: ['x-attempts'] },
        to: [a],
      },
      {
        path: { pathPrefix: '/backend' },
        to: [{ ...a, requestHeaders: { set: [{ name: 'x-set', value: 'of backend' }] } }],
      },
    ],
    calls: [
      {
        path: '/rule',
        headers: { 'x-set': 'mine', 'x-add': 'mine', 'x-gone': 'x' },
        sawHost: 'set.example',
        saw: { 'x-set': '50%', 'x-empty': '', 'x-add': 'mine, more', 'x-gone': undefined },
        answer: { 'x-from-app': 'no', 'x-attempts': undefined },
      },
      { path: '/backend', saw: { 'x-set': 'of backend' }, answer: { 'x-from-app': 'yes' } },
    ],
  },
  {
    name: 'rewrites',
    rules: [
      rewriting('/foo', '/xyz'),
      rewriting('/slash/', '/xyz/'),
      rewriting('/strip', '/'),
      rewriting('/empty', ''),
      { path: { pathPrefix: '/full' }, rewrite: { path: { kind: 'full', value: '/one\\1' } }, to: [a] },
      { path: { exact: '/exact' }, rewrite: { path: { kind: 'prefix', value: '/other' } }, to: [a] },
      { path: { prefix: '/raw' }, rewrite: { path: { kind: 'prefix', value: '/cooked' } }, to: [a] },
      { path: { pathPrefix: '/host' }, rewrite: { authority: 'new.example' }, to: [a] },
      rewriting('/', '/root'),
    ],
    calls: [
      { path: '/foo/bar', sawPath: '/xyz/bar' },
      { path: '/foo', sawPath: '/xyz' },
      { path: '/foo/', sawPath: '/xyz/' },
      { path: '/slash/a?b=/slash', sawPath: '/xyz/a?b=/slash' },
      { path: '/strip/bar', sawPath: '/bar' },
      { path: '/strip', sawPath: '/' },
      { path: '/strip/', sawPath: '/' },
      { path: '/empty/bar', sawPath: '/bar' },
      { path: '/full/a/b?q=1', sawPath: '/one\\1?q=1' },
      { path: '/exact', sawPath: '/other' },
      { path: '/rawest', sawPath: '/cookedest' },
      { path: '/host', sawPath: '/host', sawHost: 'new.example' },
      { path: '/other/x', sawPath: '/root/other/x' },
    ],
  },
  {
    name: 'redirects',
    rules: [
      { path: { exact: '/host' }, redirect: { status: 302, authority: 'x.example' } },
      { path: { exact: '/https' }, redirect: { status: 301, scheme: 'https', port: 443 } },
      { path: { exact: '/port' }, redirect: { status: 307, authority: 'x.example', port: 8443 } },
      { path: { exact: '/http80' }, redirect: { status: 302, authority: 'x.example', port: 80 } },
      {
        path: { exact: '/http-on-443' },
        redirect: { status: 302, authority: 'x.example', scheme: 'http', port: 443 },
      },
      {
        path: { pathPrefix: '/old' },
        redirect: { status: 308, path: { kind: 'prefix', value: '/new' } },
      },
      { path: { pathPrefix: '/strip' }, redirect: { status: 303, path: { kind: 'prefix', value: '/' } } },
      { path: { pathPrefix: '/full' }, redirect: { status: 301, path: { kind: 'full', value: '/one' } } },
    ],
    calls: [
      { path: '/host?q=1', status: 302, location: 'http://x.example/host?q=1' },
      { path: '/https', status: 301, location: 'https://pay.example/https' },
      { path: '/port', status: 307, location: 'http://x.example:8443/port' },
      { path: '/http80', status: 302, location: 'http://x.example/http80' },
      { path: '/http-on-443', status: 302, location: 'http://x.example:443/http-on-443' },
      { path: '/old/a', status: 308, location: 'http://pay.example/new/a' },
      { path: '/old', status: 308, location: 'http://pay.example/new' },
      { path: '/strip/a', status: 303, location: 'http://pay.example/a' },
      { path: '/full/x', status: 301, location: 'http://pay.example/one' },
    ],
  },
  {
    name: 'answers of its own, and backends that are not there',
    rules: [
      { path: { exact: '/teapot' }, respond: { status: 418, body: 'short' } },
      { path: { exact: '/long' }, respond: { status: 200, body: 'x'.repeat(5000) } },
      { path: { exact: '/invalid' }, to: [{ invalid: 'gone' }] },
      { path: { exact: '/nobody' }, to: [{ service: 'empty', port: 80 }] },
      { path: { exact: '/zero' }, to: [{ ...a, weight: 0 }] },
      { path: { exact: '/none' }, to: [] },
      { path: { exact: '/refuses' }, to: [{ service: 'dead', port: 80 }] },
      { path: { exact: '/half-dead' }, to: [{ service: 'half-dead', port: 80 }] },
      ...whole,
    ],
    calls: [
      { path: '/teapot', status: 418, body: 'short' },
      { path: '/long', status: 200, body: 'x'.repeat(5000) },
      { path: '/invalid', status: 500 },
      { path: '/nobody', status: 503 },
      { path: '/zero', status: 500 },
      { path: '/none', status: 500 },
      { path: '/refuses', status: 503 },
      // One of two servers refuses: nobody notices.
      ...Array.from({ length: 8 }, () => ({ path: '/half-dead', backend: 'a' })),
      { path: '/', backend: 'b' },
    ],
  },
  {
    name: 'gRPC',
    protocol: 'grpc',
    rules: [{ path: { exact: '/rates.Rates/Get' }, to: [{ invalid: 'gone' }] }],
    calls: [
      // In gRPC's own words: unavailable, and not implemented.
      { ...grpc('/rates.Rates/Get'), answer: { 'grpc-status': '14' } },
      { ...grpc('/rates.Rates/Put'), answer: { 'grpc-status': '12' } },
    ],
  },
  {
    name: 'timeouts and retries',
    rules: [
      { path: { exact: '/timeout' }, timeout: 150, to: [a] },
      { path: { exact: '/codes' }, retry: retryOn([502], 2), to: [a] },
      { path: { exact: '/no-retry' }, retry: retryOn([], 0), to: [a] },
      { path: { exact: '/per-try' }, retry: retryOn([503], 2, 200), to: [a] },
      { path: { exact: '/per-try-once' }, retry: retryOn([], 0, 150), to: [a] },
      // Weft's default: what has reached the app is not sent again.
      { path: { exact: '/default' }, to: [a] },
    ],
    calls: [
      { path: '/timeout?slow=9&key=t', status: 504 },
      { path: '/codes?fail=2&status=502&key=c', status: 200, answer: { 'x-attempts': '3' } },
      { path: '/codes?fail=9&status=502&key=d', status: 502, answer: { 'x-attempts': '3' } },
      { path: '/codes?fail=1&status=503&key=e', status: 503 },
      { path: '/no-retry?fail=1&status=502&key=f', status: 502 },
      { path: '/per-try?slow=1&key=g', status: 200, answer: { 'x-attempts': '2' } },
      { path: '/per-try-once?slow=1&key=h', status: 504 },
      { path: '/default?fail=1&status=503&key=i', status: 503 },
      { path: '/default?reset=1&key=j', status: 503 },
    ],
  },
];

function grpc(path: string): Call {
  return { method: 'POST', path, headers: { 'content-type': 'application/grpc' }, body: '' };
}

function rewriting(from: string, value: string): RuleCase {
  return { path: { pathPrefix: from }, rewrite: { path: { kind: 'prefix', value } }, to: [a] };
}

const backends: Backend[] = [];
let live: LiveEnvoy;
let answerOf: Record<string, string> = {};

before(async () => {
  const [serverA, serverB] = [await startEcho('a'), await startEcho('b')];
  backends.push(serverA, serverB);
  const at = (port: number) => ({ address: '127.0.0.1', port });
  // Nothing listens on port 1.
  const servers: ServiceCase[] = [
    { name: 'a', ports: { 80: { protocol: 'http', endpoints: [at(serverA.port)] } } },
    { name: 'b', ports: { 80: { protocol: 'http', endpoints: [at(serverB.port)] } } },
    { name: 'empty', ports: { 80: { protocol: 'http' } } },
    { name: 'dead', ports: { 80: { protocol: 'http', endpoints: [at(1)] } } },
    { name: 'half-dead', ports: { 80: { protocol: 'http', endpoints: [at(1), at(serverA.port)] } } },
  ];
  const callers = tables.map(
    ({ rules, protocol }, index): ServiceCase => ({
      name: `table-${index}`,
      addresses: [`10.96.1.${index}`],
      ports: { 80: { protocol: protocol ?? 'http', rules } },
    }),
  );
  const shared: ServiceCase = {
    name: 'shared',
    addresses: [`10.96.1.${tables.length}`],
    ports: { 80: { protocol: 'http', rules: [{ to: [a, { invalid: 'gone' }] }] } },
  };
  const { mesh, workload } = meshOf({ services: [...callers, shared, ...servers] });
  const { lists, problems } = createTranslator().translate(mesh, workload);
  assert.deepEqual(problems, []);
  using certificates = await createCertificates();
  const own = await certificates.issue({ namespace: 'campus', serviceAccount: 'client' });
  const statics = staticResources(lists.flat(), { root: certificates.root, own });
  live = await startLive({
    clusters: statics.clusters,
    listeners: statics.listeners
      .filter((one) => String(one.name).startsWith('10.96.1.'))
      .map((one) => onLoopback(one)),
  });
});

after(async () => {
  await live?.[Symbol.asyncDispose]();
  for (const backend of backends) await backend[Symbol.asyncDispose]();
});

for (const [index, { name, calls }] of tables.entries()) {
  describe(name, () => {
    for (const call of calls) {
      test(`${call.method ?? 'GET'} ${call.path} ${JSON.stringify(call.headers ?? call.host ?? '')}`, async () => {
        await check(call, live.portOf(`10.96.1.${index}_80`));
      });
    }
  });
}

async function check(call: Call, port: number): Promise<void> {
  const { status, headers, body } = await send(call, port);
  assert.equal(status, call.status ?? 200, body);
  if (call.location !== undefined) assert.equal(headers.location, call.location);
  if (call.body !== undefined) assert.equal(body, call.body);
  answerOf = headers as Record<string, string>;
  for (const [name, value] of Object.entries(call.answer ?? {})) assert.equal(answerOf[name], value, name);
  if (status !== 200 || call.body !== undefined) return;
  const echo: Echo = JSON.parse(body);
  if (call.backend !== undefined) assert.equal(echo.backend, call.backend);
  if (call.sawPath !== undefined) assert.equal(echo.path, call.sawPath);
  if (call.sawHost !== undefined) assert.equal(echo.headers.host, call.sawHost);
  for (const [name, value] of Object.entries(call.saw ?? {})) assert.equal(echo.headers[name], value, name);
}

test('an invalid backend keeps its share, and shifts none of it', async () => {
  const port = live.portOf(`10.96.1.${tables.length}_80`);
  const statuses = new Map<number, number>();
  for (let sent = 0; sent < 300; sent++) {
    const { status } = await send({ path: '/' }, port);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  assert.deepEqual(
    [...statuses.keys()].sort((one, two) => one - two),
    [200, 500],
  );
  // Half and half; these bounds are seven standard deviations away.
  const served = statuses.get(200) ?? 0;
  assert.ok(served > 90 && served < 210, `${served} of 300 were served`);
});

type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string };

function send(
  { method = 'GET', path, host = 'pay.example', headers = {} }: Call,
  port: number,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1',
      port,
      method,
      path,
      agent: false,
      headers: { host, ...headers },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const { statusCode: status = 0, headers: answered } = response;
      text(response).then((body) => resolve({ status, headers: answered, body }), reject);
    });
    sent.end();
  });
}
