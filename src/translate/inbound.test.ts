/**
 * The server side on a real Envoy, with clients of several identities. The proxy listens on 127.0.0.3, where capture would
 * bring connections; the apps listen on the pod's address, 127.0.0.2, or on loopback alone.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectPlain, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { type Certificates, createCertificates, type KeyPair } from './testing/certificates.ts';
import {
  type Backend,
  type Echo,
  type LiveEnvoy,
  onLoopback,
  startBanner,
  startEcho,
  startHttp2,
  startLive,
} from './testing/live-envoy.ts';
import { type MeshCase, meshOf, type PolicyCase } from './testing/mesh-case.ts';
import { staticResources } from './testing/static-envoy.ts';
import { createTranslator } from './translate.ts';

const [proxyAddress, podAddress] = ['127.0.0.3', '127.0.0.2'];
type Caller = 'pay' | 'other' | 'plaintext';

const principal = (account: string): string => `cluster.local/ns/campus/sa/${account}`;
const policies: Record<'deny' | 'allow', readonly PolicyCase[]> = {
  deny: [
    { name: 'no-admin', rules: [{ to: [{ paths: ['/admin*'] }] }] },
    { name: 'no-host', rules: [{ to: [{ hosts: ['forbidden.example'] }] }] },
    {
      name: 'no-header',
      rules: [{ when: [{ key: { kind: 'request-header', name: 'x-bad' }, values: ['*'], notValues: [] }] }],
    },
  ],
  allow: [
    { name: 'pay', rules: [{ from: [{ principals: [principal('pay')] }], to: [{ methods: ['GET'] }] }] },
    { name: 'open', rules: [{ to: [{ paths: ['/open', '/d/{*}/e'] }] }] },
    {
      name: 'others',
      rules: [
        {
          from: [{ namespaces: ['campus'], notPrincipals: [principal('pay')] }],
          to: [{ paths: ['/other'] }],
        },
      ],
    },
    { name: 'address', rules: [{ from: [{ ipBlocks: ['127.0.0.0/8'] }], to: [{ paths: ['/near'] }] }] },
  ],
};

let certificates: Certificates;
let keys: Record<'pay' | 'other' | 'server', KeyPair>;
let live: LiveEnvoy;
const apps: Record<
  'strict' | 'permissive' | 'auto' | 'tcp' | 'open' | 'http2',
  Backend & { readonly name: string }
> = Object.create(null);

before(async () => {
  certificates = await createCertificates();
  const issue = (serviceAccount: string): Promise<KeyPair> =>
    certificates.issue({ namespace: 'campus', serviceAccount });
  keys = { pay: await issue('pay'), other: await issue('other'), server: await issue('server') };
  apps.strict = { name: 'strict', ...(await startEcho('strict', podAddress)) };
  // Only on loopback: the proxy must find it there.
  apps.permissive = { name: 'permissive', ...(await startEcho('permissive', '127.0.0.1')) };
  apps.auto = { name: 'auto', ...(await startEcho('auto', podAddress)) };
  apps.tcp = { name: 'tcp', ...(await startBanner('220 hello\n', podAddress)) };
  apps.open = { name: 'open', ...(await startBanner('220 hello\n', '127.0.0.1')) };
  apps.http2 = { name: 'http2', ...(await startHttp2(podAddress)) };
  const { mesh, workload } = meshOf(meshCase());
  const { lists, problems } = createTranslator().translate(mesh, workload);
  assert.deepEqual(problems, []);
  const statics = staticResources(lists.flat(), { root: certificates.root, own: keys.server });
  const ports = Object.values(apps).map(({ port }) => port);
  live = await startLive({
    clusters: statics.clusters,
    listeners: statics.listeners.flatMap((one) => {
      if (one.name === 'virtualInbound') {
        const [first = 0, ...rest] = ports;
        const additional = rest.map((port) => ({
          address: { socket_address: { address: proxyAddress, port_value: port } },
        }));
        return [{ ...onLoopback(one, first, proxyAddress), additional_addresses: additional }];
      }
      return String(one.name).startsWith('10.96.') ? [onLoopback(one)] : [];
    }),
  });
});

after(async () => {
  await live?.[Symbol.asyncDispose]();
  for (const app of Object.values(apps)) await app[Symbol.asyncDispose]();
  certificates[Symbol.dispose]();
});

function meshCase(): MeshCase {
  const endpoints = (port: number): { address: string; port: number; workload: { name: string } }[] => [
    { address: proxyAddress, port, workload: { name: 'server' } },
  ];
  return {
    settings: { accessLog: true },
    workload: { name: 'server', addresses: [podAddress] },
    services: [
      {
        name: 'strict',
        identities: ['spiffe://cluster.local/ns/campus/sa/server'],
        ports: { 80: { protocol: 'http', endpoints: endpoints(apps.strict.port) } },
      },
      {
        name: 'auto',
        identities: ['spiffe://cluster.local/ns/campus/sa/server'],
        ports: { 90: { protocol: 'auto', endpoints: endpoints(apps.auto.port) } },
      },
      {
        name: 'impostor',
        identities: ['spiffe://cluster.local/ns/campus/sa/somebody-else'],
        ports: { 80: { protocol: 'http', endpoints: endpoints(apps.strict.port) } },
      },
      {
        name: 'rates',
        identities: ['spiffe://cluster.local/ns/campus/sa/server'],
        ports: { 70: { protocol: 'grpc', endpoints: endpoints(apps.http2.port) } },
      },
    ],
    inbound: {
      ports: {
        [apps.strict.port]: {
          protocol: 'http',
          mtls: 'STRICT',
          deny: policies.deny,
          allow: [
            ...policies.allow,
            { name: 'self', rules: [{ from: [{ serviceAccounts: ['campus/server'] }] }] },
          ],
        },
        [apps.permissive.port]: {
          protocol: 'http',
          mtls: 'PERMISSIVE',
          deny: policies.deny,
          allow: policies.allow,
        },
        [apps.auto.port]: {
          protocol: 'auto',
          mtls: 'PERMISSIVE',
          allow: [{ name: 'get', rules: [{ to: [{ methods: ['GET'] }] }] }],
        },
        [apps.tcp.port]: {
          protocol: 'tcp',
          mtls: 'PERMISSIVE',
          allow: [{ name: 'pay', rules: [{ from: [{ principals: [principal('pay')] }] }] }],
        },
        [apps.http2.port]: { protocol: 'grpc', mtls: 'STRICT' },
        [apps.open.port]: { protocol: 'tcp', mtls: 'PERMISSIVE' },
      },
      // Open, so that what a strict port refuses could come in here if chains fell through.
      other: { mtls: 'PERMISSIVE' },
    },
  };
}

type Call = {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly is: Partial<Record<Caller, number | 'reset'>>;
};

const calls: readonly Call[] = [
  { path: '/any', is: { pay: 200, other: 403, plaintext: 403 } },
  { path: '/any', method: 'POST', is: { pay: 403 } },
  { path: '/open', is: { pay: 200, other: 200, plaintext: 200 } },
  { path: '/open?x=/admin', is: { other: 200 } },
  { path: '/d/x/e', is: { other: 200, plaintext: 200 } },
  { path: '/d/x/y/e', is: { other: 403 } },
  { path: '/other', is: { other: 200, plaintext: 403 } },
  { path: '/near', is: { other: 200, plaintext: 200 } },
  { path: '/admin/x', is: { pay: 403, other: 403, plaintext: 403 } },
  // What is judged is the path that the server would get.
  { path: '/x/..//admin', is: { pay: 403 } },
  { path: '/x/..%2fadmin', is: { pay: 403 } },
  { path: '/x/%2e%2e/%61dmin', is: { pay: 403 } },
  { path: '/open/%2e%2e/any', is: { other: 403 } },
  { path: '/Admin', is: { pay: 200 } },
  { path: '/admin%00', is: { pay: 400 } },
  { path: '/any', headers: { host: 'FORBIDDEN.example:81' }, is: { pay: 403 } },
  { path: '/any', headers: { 'x-bad': 'x' }, is: { pay: 403 } },
];

for (const mode of ['strict', 'permissive'] as const) {
  describe(`policies on a ${mode} port`, () => {
    for (const { path, method = 'GET', headers = {}, is } of calls) {
      for (const [caller, expected] of Object.entries(is)) {
        test(`${caller} ${method} ${path} ${JSON.stringify(headers)}`, async () => {
          const wanted = caller === 'plaintext' && mode === 'strict' ? 'reset' : expected;
          // The keys of `is` are callers.
          const answer = await call(caller as Caller, apps[mode].port, { path, method, headers });
          assert.equal(answer.status, wanted, answer.body);
        });
      }
    }
  });
}

test('the app learns who calls from the proxy alone', async () => {
  const forged = { 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/campus/sa/root' };
  const meshed = await call('pay', apps.strict.port, { path: '/any', method: 'GET', headers: forged });
  const seen: Echo = JSON.parse(meshed.body);
  assert.match(
    String(seen.headers['x-forwarded-client-cert']),
    /URI=spiffe:\/\/cluster\.local\/ns\/campus\/sa\/pay$/,
  );
  assert.doesNotMatch(String(seen.headers['x-forwarded-client-cert']), /root/);
  const plain = await call('plaintext', apps.permissive.port, {
    path: '/open',
    method: 'GET',
    headers: forged,
  });
  const unknown: Echo = JSON.parse(plain.body);
  assert.equal(unknown.headers['x-forwarded-client-cert'], undefined);
});

test('plaintext to a strict port fits no filter chain, not even that of the open other ports', async () => {
  const unmatched = async (): Promise<number> => {
    const { body } = await live.envoy.admin('/stats?filter=no_filter_chain_match');
    return [...body.matchAll(/: (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  };
  const before = await unmatched();
  await call('plaintext', apps.strict.port, { path: '/open', method: 'GET', headers: {} });
  assert.equal(await unmatched(), before + 1);
});

describe('a TCP port whose server speaks first', () => {
  test('who may call hears it', async () => {
    assert.equal(await firstBytes('pay', apps.tcp.port), '220 hello\n');
  });
  for (const caller of ['other', 'plaintext'] as const) {
    test(`${caller} hears nothing`, async () => {
      assert.equal(await firstBytes(caller, apps.tcp.port), '');
    });
  }
  test('without policy everybody hears it', async () => {
    assert.equal(await firstBytes('plaintext', apps.open.port), '220 hello\n');
    assert.equal(await firstBytes('other', apps.open.port), '220 hello\n');
  });
});

describe('from sidecar to sidecar', () => {
  test('mTLS with the right identity', async () => {
    const answer = await plain(live.portOf('10.96.0.10_80'));
    assert.equal(answer.status, 200, answer.body);
    const seen: Echo = JSON.parse(answer.body);
    assert.match(String(seen.headers['x-forwarded-client-cert']), /sa\/server$/);
  });
  test('a server that is somebody else is refused', async () => {
    assert.equal((await plain(live.portOf('10.96.0.12_80'))).status, 503);
  });
  test('HTTP/2 all the way, when the caller speaks it', async () => {
    const session = connectHttp2(`http://127.0.0.1:${live.portOf('10.96.0.13_70')}`);
    const stream = session.request({ ':path': '/rates.Rates/Get' });
    assert.equal(await text(stream), '/rates.Rates/Get');
    session.close();
  });
  test('HTTP on a port of unknown protocol is HTTP to the server too: its rules hold', async () => {
    const port = live.portOf('10.96.0.11_90');
    assert.equal((await plain(port)).status, 200);
    assert.equal((await plain(port, 'POST')).status, 403);
  });
});

test('metrics name both ends, and the caller is attested', async () => {
  await call('pay', apps.strict.port, { path: '/any', method: 'GET', headers: {} });
  const { body } = await live.envoy.admin('/stats/prometheus?filter=istio&usedonly');
  const line = (...labels: string[]): string | undefined =>
    body.split('\n').find((one) => labels.every((label) => one.includes(label)));
  const served = line(
    'requests_total{',
    'reporter="destination"',
    'source_principal="spiffe://cluster.local/ns/campus/sa/pay"',
  );
  assert.ok(served, body);
  for (const label of [
    'source_workload="pay"',
    'source_workload_namespace="campus"',
    'source_app="pay"',
    'source_version="v1"',
    'destination_workload="server"',
    'destination_service="server.campus.svc.cluster.local"',
    'connection_security_policy="mutual_tls"',
    'request_protocol="http"',
    'response_code="200"',
  ]) {
    assert.ok(served.includes(label), `${label} in ${served}`);
  }
  assert.ok(!served.includes('grpc_response_status'), served);
  const called = line(
    'requests_total{',
    'reporter="source"',
    'response_code="200"',
    'destination_service_name="strict"',
  );
  assert.ok(called, body);
  assert.ok(called.includes('destination_principal="spiffe://cluster.local/ns/campus/sa/server"'), called);
  assert.ok(called.includes('destination_workload="server"'), called);
  assert.ok(line('tcp_connections_closed_total{', 'source_workload="pay"', 'reporter="destination"'), body);
  // Histograms are merged once in a flush interval.
  await eventually(async () => {
    const { body: later } = await live.envoy.admin('/stats/prometheus?filter=istio');
    for (const name of ['request_duration_milliseconds', 'request_bytes', 'response_bytes']) {
      assert.match(later, new RegExp(`istio_${name}_bucket{[^}]*source_workload="pay"`));
    }
  });
});

test('access logs name the rule that answered', () =>
  eventually(async () => {
    const lines = live.envoy
      .log()
      .split('\n')
      .filter((one) => one.startsWith('{'))
      .map((one) => JSON.parse(one));
    const denied = lines.find((one) => one.path === '/admin/x' && one.response_code === 403);
    assert.ok(denied);
    assert.match(denied.response_code_details, /rbac_access_denied_matched_policy\[campus\/no-admin\[0\]\]/);
    assert.equal(denied.source_principal, 'spiffe://cluster.local/ns/campus/sa/pay');
    const sent = lines.find((one) => one.reporter === 'source' && one.response_code === 200);
    assert.ok(sent);
    assert.equal(sent.route_origin, 'Service campus/strict');
  }));

async function eventually(check: () => Promise<void>): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    const failed = await check().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failed === undefined) return;
    await sleep(100);
  }
  await check();
}

type Answer = { readonly status: number | 'reset'; readonly body: string };
type Asked = { readonly path: string; readonly method: string; readonly headers: Record<string, string> };

function open(caller: Caller, port: number): Socket {
  if (caller === 'plaintext') return connectPlain(port, proxyAddress);
  return connectTls({
    host: proxyAddress,
    port,
    ALPNProtocols: ['weft-http', 'weft'],
    cert: readFileSync(keys[caller].chain),
    key: readFileSync(keys[caller].key),
    ca: readFileSync(certificates.root),
    checkServerIdentity: () => undefined,
  });
}

function call(caller: Caller, port: number, asked: Asked): Promise<Answer> {
  return answerTo({ ...asked, createConnection: () => open(caller, port) });
}

function plain(port: number, method = 'GET'): Promise<Answer> {
  return answerTo({ host: '127.0.0.1', port, method, path: '/any', agent: false });
}

function answerTo(options: RequestOptions): Promise<Answer> {
  return new Promise((resolve) => {
    const sent = request(options);
    sent.on('error', (error) => resolve({ status: 'reset', body: error.message }));
    sent.on('response', (response) => {
      text(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, body }),
        () => resolve({ status: 'reset', body: 'in mid-answer' }),
      );
    });
    sent.end();
  });
}

/** What the server says first, or `''` when the connection ends without a word. */
function firstBytes(caller: Caller, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = open(caller, port);
    socket.on('error', () => resolve(''));
    socket.on('close', () => resolve(''));
    socket.on('data', (data) => {
      resolve(data.toString());
      socket.destroy();
    });
  });
}
