import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { ListenerSchema } from '../gen/envoy/config/listener/v3/listener_pb.ts';
import { registry } from '../gen/registry.ts';
import { createLogger } from '../src/base/log.ts';
import { createEncoder } from '../src/snapshot/snapshot.ts';
import { connectAds } from '../src/xds/xds.ts';
import { type Namespace, namespacesMissing } from './support/namespace.ts';
import { type Files, pod, startMesh } from './support/node-agent.ts';
import { cluster, endpoints, envoyResource } from './support/resources.ts';

const skip = namespacesMissing();
const path = '/workloads/campus/pay-0';

test('a pod gets its certificate and configuration, and keeps them whoever goes away', {
  skip,
}, async (t) => {
  await using mesh = await startMesh();
  const { pay, other } = mesh;
  let agent = await mesh.startAgent();
  let controlPlane = await mesh.startControlPlane();
  mesh.wanted.set(
    encoder.encode([[listener('hello', 15_006, 'one')]].map((list) => list.map(envoyResource))),
  );
  await mesh.put();

  await t.test('the socket is for the sidecar alone', async () => {
    const socket = join(mesh.directory, 'xds.sock');
    const { mode, uid } = await stat(socket);
    assert.deepEqual([mode & 0o777, uid, (await stat(mesh.directory)).mode & 0o777], [0o600, 1337, 0o700]);
    assert.equal(connectAs(65_534, socket), 'EACCES');
    assert.equal(connectAs(1337, socket), 'connected');
  });

  await t.test('and for a proxy of this pod alone', async () => {
    const lines: string[] = [];
    const end = new AbortController();
    const address = { path: join(mesh.directory, 'xds.sock') };
    const log = createLogger((line) => lines.push(line), Date.now);
    const stranger = { id: 'campus/other-0', cluster: '', metadata: {}, envoyVersion: '' };
    connectAds({ address, signal: end.signal, log }).relay({
      node: stranger,
      signal: end.signal,
    });
    await until(() => lines.join('').includes('belongs to campus/pay-0'));
    end.abort();
  });

  await t.test('rules come before the first answer, and not before the first stream', async () => {
    assert.equal(pay.run('nft', 'list', 'tables'), '');
    mesh.startEnvoy();
    await until(() => greeting(other, mesh.peer) === 'one');
    assert.match(pay.run('nft', 'list', 'tables'), /weft/);
  });

  await t.test('the certificate is the pod’s, by SDS, and its key is nowhere else', async () => {
    const certs = JSON.parse((await mesh.ask('GET', `${path}/envoy/certs`)).body);
    const chain = certs.certificates[0].cert_chain[0];
    assert.deepEqual(chain.subject_alt_names, [{ uri: 'spiffe://cluster.local/ns/campus/sa/pay' }]);
    assert.equal(
      spawnSync('grep', ['-rlE', 'PRIVATE KEY|eyJ', join(mesh.root, 'w')], { encoding: 'utf8' }).stdout,
      '',
    );
    assert.doesNotMatch(mesh.log(), /PRIVATE|eyJ/);
    const dump = (await mesh.ask('GET', `${path}/envoy/config_dump`)).body;
    assert.ok(
      !dump.includes('BEGIN PRIVATE') && !dump.includes(Buffer.from('-----BEGIN PRIVATE').toString('base64')),
    );
  });

  await t.test('a peer without a certificate is refused', () => {
    assert.notEqual(greeting(other, undefined), 'one');
  });

  await t.test('the control plane hears what Envoy took and what it refused', async () => {
    await until(() => mesh.facts.some(({ kind, name }) => kind === 'acked' && name === 'hello'));
    const bad = listener('bad', 70_000, 'never');
    mesh.wanted.set(encoder.encode([[listener('hello', 15_006, 'one'), bad].map(envoyResource)]));
    await until(() => mesh.facts.some(({ kind, name }) => kind === 'nacked' && name === 'bad'));
    assert.match(mesh.facts.find(({ kind }) => kind === 'nacked')?.message ?? '', /port/i);
    mesh.wanted.set(encoder.encode([[listener('hello', 15_006, 'two')].map(envoyResource)]));
    await until(() => greeting(other, mesh.peer) === 'two');
  });

  await t.test('metrics and states', async () => {
    assert.match((await mesh.ask('GET', '/metrics')).body, /^weft_agent_workloads 1$/m);
    const [state] = JSON.parse((await mesh.ask('GET', '/workloads')).body);
    const { certificate, ...rest } = state;
    const identity = 'spiffe://cluster.local/ns/campus/sa/pay';
    const expected = { namespace: 'campus', pod: 'pay-0', uid: pod.pod.uid, identity };
    assert.deepEqual(rest, { ...expected, captured: true, configured: true, connected: true });
    assert.ok(certificate.notAfter);
    assert.deepEqual(JSON.parse((await mesh.ask('GET', '/targets')).body), [
      { targets: ['127.0.0.1:15090'], labels: { job: 'weft', node: 'here' } },
    ]);
    assert.deepEqual(JSON.parse((await mesh.ask('GET', '/edges?window=30s')).body), []);
  });

  await t.test(
    'what is taken away while its Envoy is gone is settled when the next one is there',
    async () => {
      const hello = listener('hello', 15_006, 'two');
      const told = (kind: string): boolean =>
        mesh.facts.some((fact) => fact.kind === kind && fact.type === 'endpoint' && fact.name === 'short');
      mesh.wanted.set(
        encoder.encode([[hello, cluster('short'), endpoints('short', [1])].map(envoyResource)]),
      );
      await until(() => told('acked'));
      await mesh.killEnvoy();
      mesh.wanted.set(encoder.encode([[hello].map(envoyResource)]));
      await sleep(200);
      assert.equal(told('removed'), false);
      mesh.startEnvoy();
      await until(() => told('removed'));
    },
  );

  await t.test('without the control plane a restarted Envoy gets everything from the agent', async () => {
    await controlPlane.stop();
    await mesh.killEnvoy();
    assert.equal(greeting(other, mesh.peer), '');
    mesh.startEnvoy();
    await until(() => greeting(other, mesh.peer) === 'two');
  });

  await t.test('a restarted agent that knows nothing takes nothing away', async () => {
    await agent.stop();
    assert.equal(greeting(other, mesh.peer), 'two');
    agent = await mesh.startAgent();
    await mesh.put();
    const state = async () => JSON.parse((await mesh.ask('GET', '/workloads')).body)[0];
    await until(async () => (await state()).connected);
    assert.equal(greeting(other, mesh.peer), 'two');

    // Nor does one that has been told a part.
    const half = await mesh.startHalfControlPlane();
    await until(async () => (await state()).certificate !== null);
    await sleep(500);
    assert.equal((await state()).configured, false);
    assert.equal(greeting(other, mesh.peer), 'two');
    await half.stop();

    controlPlane = await mesh.startControlPlane();
    mesh.wanted.set(encoder.encode([[listener('hello', 15_006, 'three')].map(envoyResource)]));
    await until(() => greeting(other, mesh.peer) === 'three');
  });

  await t.test('drain waits for a request that is under way', async () => {
    const caller = await halfRequest(other, mesh.peer);
    assert.deepEqual(JSON.parse((await mesh.ask('POST', `${path}/drain`)).body), { idle: false });
    caller.kill('SIGKILL');
  });

  await t.test('drain returns when nothing is under way, and a removed workload is gone', async () => {
    assert.deepEqual(JSON.parse((await mesh.ask('POST', `${path}/drain`)).body), { idle: true });
    assert.equal((await mesh.ask('DELETE', path)).status, 200);
    assert.equal((await mesh.ask('DELETE', path)).status, 404);
    assert.equal((await mesh.ask('POST', `${path}/drain`)).status, 404);
    await assert.rejects(stat(join(mesh.directory, 'xds.sock')), /ENOENT/);
    assert.equal(greeting(other, mesh.peer), 'three', 'its Envoy goes on until it is ended');
  });
});

test('what is not exactly a workload is refused', { skip }, async () => {
  await using mesh = await startMesh();
  await mesh.startAgent();
  const good = await mesh.body();
  const bad: readonly (readonly [string, unknown])[] = [
    [path, { ...good, extra: 1 }],
    [path, { ...good, token: undefined }],
    [path, { ...good, token: 'a b' }],
    [path, { ...good, pod: { ...pod.pod, namespace: 'other' } }],
    [path, { ...good, directory: '/etc' }],
    [path, { ...good, directory: `${good.directory}/..` }],
    [path, { ...good, netns: '../x' }],
    [path, { ...good, netns: '/run/../proc/1/ns/net' }],
    [path, []],
    [path, null],
    [path, { ...good, token: 'a'.repeat(70_000) }],
    ['/workloads/campus/..%2f..%2fetc', good],
    ['/workloads/CAMPUS/pay-0', good],
  ];
  for (const [where, body] of bad) {
    const { status, body: said } = await mesh.ask('PUT', where, JSON.stringify(body));
    assert.equal(status, 400, `${where} ${said}`);
    assert.equal(JSON.parse(said).code, 'WEFT-2201');
    assert.ok(!said.includes(good.token));
  }
  assert.equal((await mesh.ask('PUT', path, '{')).status, 400);
  assert.equal((await mesh.ask('GET', '/nothing')).status, 404);
  assert.equal((await mesh.ask('GET', `${path}/envoy/quitquitquit`)).status, 404);
  assert.equal((await mesh.ask('GET', `${path}/envoy/stats`)).status, 404);
  assert.deepEqual(JSON.parse((await mesh.ask('GET', '/workloads')).body), []);
});

const encoder = createEncoder();

/** Says `text` to whoever speaks mutual TLS on the port. */
function listener(name: string, port: number, text: string) {
  const sds = (secret: string): JsonValue => ({
    name: secret,
    sds_config: { ads: {}, resource_api_version: 'V3' },
  });
  const type = (suffix: string): string => `type.googleapis.com/envoy.${suffix}`;
  const tls = {
    '@type': type('extensions.transport_sockets.tls.v3.DownstreamTlsContext'),
    require_client_certificate: true,
    common_tls_context: {
      tls_certificate_sds_secret_configs: [sds('default')],
      validation_context_sds_secret_config: sds('ROOTCA'),
    },
  };
  const manager = {
    '@type': type('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'inbound',
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            { match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: text } } },
          ],
        },
      ],
    },
    http_filters: [
      { name: 'router', typed_config: { '@type': type('extensions.filters.http.router.v3.Router') } },
    ],
  };
  const json = {
    name,
    address: { socket_address: { address: '0.0.0.0', port_value: port } },
    filter_chains: [
      {
        filters: [{ name: 'http', typed_config: manager }],
        transport_socket: { name: 'tls', typed_config: tls },
      },
    ],
  };
  return fromJson(ListenerSchema, json, { registry });
}

/** What the listener answers when its pod is called from outside, on a port that only capture leads to it; `''` when nothing. */
function greeting(from: Namespace, peer: Files | undefined): string {
  const script = `
    const [host, port, ...files] = process.argv.slice(1);
    const [cert, key, ca] = files.map((file) => require('node:fs').readFileSync(file));
    const options = { host, port, cert, key, ca, rejectUnauthorized: false, agent: false, timeout: 2000 };
    const asked = require('node:https').get(options, (response) => response.pipe(process.stdout));
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => {});`;
  const files = peer ? [peer.cert, peer.key, peer.roots] : [];
  return from.run(process.execPath, '-e', script, '10.250.0.2', '8000', ...files);
}

/** Begins a request and does not end it. */
async function halfRequest(from: Namespace, peer: Files): Promise<ChildProcess> {
  const script = `
    const [cert, key, ca] = process.argv.slice(1).map((file) => require('node:fs').readFileSync(file));
    const options = { host: '10.250.0.2', port: 8000, cert, key, ca, rejectUnauthorized: false };
    const socket = require('node:tls').connect(options, () => socket.write('GET / HTTP/1.1\\r\\nhost: pay\\r\\n', () => console.log('sent')));`;
  const caller = from.start(process.execPath, '-e', script, peer.cert, peer.key, peer.roots);
  assert.ok(caller.stdout);
  await once(caller.stdout, 'data');
  return caller;
}

function connectAs(uid: number, socket: string): string {
  const script = `require('node:net').connect(${JSON.stringify(socket)}).on('error', (e) => { console.log(e.code); })
    .on('connect', function () { console.log('connected'); this.destroy(); });`;
  const user = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
  return execFileSync('setpriv', [...user, process.execPath, '-e', script], { encoding: 'utf8' }).trim();
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await holds()) return;
    await sleep(50);
  }
  assert.fail(`it never became true: ${holds}`);
}
