import 'reflect-metadata';
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  create,
  type DescMessage,
  equals,
  fromBinary,
  fromJson,
  type JsonObject,
  toBinary,
} from '@bufbuild/protobuf';
import * as x509 from '@peculiar/x509';
import { type Cluster, ClusterSchema } from '../gen/envoy/config/cluster/v3/cluster_pb.ts';
import { TransportSocketSchema } from '../gen/envoy/config/core/v3/base_pb.ts';
import { ClusterLoadAssignmentSchema } from '../gen/envoy/config/endpoint/v3/endpoint_pb.ts';
import { ListenerSchema } from '../gen/envoy/config/listener/v3/listener_pb.ts';
import { RouteConfigurationSchema } from '../gen/envoy/config/route/v3/route_pb.ts';
import { SecretSchema } from '../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { UpstreamTlsContextSchema } from '../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';
import { registry } from '../gen/registry.ts';
import { createLatest } from '../src/base/latest.ts';
import { silentLogger } from '../src/base/log.ts';
import type { Resource, ResourceType } from '../src/snapshot/resource.ts';
import {
  checkReferences,
  createEncoder,
  resourceFromBytes,
  type Snapshot,
  snapshotOf,
} from '../src/snapshot/snapshot.ts';
import { type AdsServer, type Fact, serveAds } from '../src/xds/xds.ts';
import { type RunningEnvoy, startEnvoy } from './support/envoy.ts';
import {
  ads,
  cluster,
  endpoints,
  envoyResource,
  httpListener,
  pack,
  routes,
  tcpListener,
} from './support/resources.ts';

type Made = Parameters<typeof envoyResource>[0];

const encoder = createEncoder();
const withContent = ['cluster', 'endpoint', 'listener', 'route'] as const;

function encode(messages: readonly Made[], secrets: readonly Resource[] = []): Snapshot {
  const encoded = encoder.encode([messages.map(envoyResource)]);
  return snapshotOf([...withContent.flatMap((type) => [...encoded.entries(type)]), ...secrets]);
}

function withoutSecrets(snapshot: Snapshot): Snapshot {
  return snapshotOf(withContent.flatMap((type) => [...snapshot.entries(type)]));
}

/** A control plane on a unix socket, and an Envoy that knows nothing but the socket. */
async function mesh(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'weft-xds-'));
  const path = join(directory, 'xds.sock');
  const snapshots = createLatest<Snapshot>();
  const facts: Fact[] = [];
  let server: AdsServer | undefined;
  let envoy: RunningEnvoy | undefined;
  t.after(async () => {
    await envoy?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });
  const start = async (): Promise<void> => {
    server = await serveAds({
      listen: { path },
      order: 'acked',
      open: (_, signal) => snapshots.follow(signal),
      onFacts: (_, more) => facts.push(...more),
      log: silentLogger,
    });
  };
  await start();
  return {
    directory,
    facts,
    set: snapshots.set,
    start,
    stop: async () => server?.[Symbol.asyncDispose](),
    async envoy() {
      envoy = await startEnvoy({ bootstrap: bootstrap(path) });
      return envoy;
    },
    /** Waits until a fact of this kind is there about this version of the resource. */
    async until(kind: Fact['kind'], type: ResourceType, name: string, version = ''): Promise<Fact> {
      for (let tries = 0; tries < 1_000; tries++) {
        const found = facts.find(
          (fact) =>
            fact.kind === kind &&
            fact.type === type &&
            fact.name === name &&
            fact.version.startsWith(version),
        );
        if (found) return found;
        await pause(10);
      }
      throw new Error(`${type} ${name} was never ${kind}\n${envoy?.log()}`);
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function bootstrap(path: string): string {
  const http2 = 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const address = { pipe: { path } };
  return JSON.stringify({
    node: { id: 'shop/cart-1', cluster: 'cart' },
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
      cds_config: { resource_api_version: 'V3', ads: {} },
      lds_config: { resource_api_version: 'V3', ads: {} },
    },
    static_resources: {
      clusters: [
        {
          name: 'xds',
          type: 'STATIC',
          typed_extension_protocol_options: {
            [name]: { '@type': http2, explicit_http_config: { http2_protocol_options: {} } },
          },
          load_assignment: {
            cluster_name: 'xds',
            endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
          },
        },
      ],
    },
  });
}

const schemas: Readonly<Record<Exclude<ResourceType, 'secret'>, DescMessage>> = {
  cluster: ClusterSchema,
  endpoint: ClusterLoadAssignmentSchema,
  listener: ListenerSchema,
  route: RouteConfigurationSchema,
};

type Dumped = {
  readonly type: ResourceType;
  readonly name: string;
  readonly version: string;
  readonly json: JsonObject;
};

/** Everything dynamic in `config_dump`, whatever its nesting: an object with its version and its resource. */
async function dumped(envoy: RunningEnvoy): Promise<Dumped[]> {
  const found: Dumped[] = [];
  const places = {
    cluster: 'cluster',
    listener: 'listener',
    route_config: 'route',
    endpoint_config: 'endpoint',
    secret: 'secret',
  } as const;
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    const here = value as Record<string, unknown>;
    for (const [key, type] of Object.entries(places)) {
      const json = here[key] as JsonObject | undefined;
      if (
        json === undefined ||
        (type === 'endpoint' ? !('endpoint_config' in here) : !('version_info' in here))
      )
        continue;
      const name = String(json.name ?? json.cluster_name ?? here.name);
      found.push({ type, name, version: String(here.version_info ?? ''), json });
      return;
    }
    // A listener that was removed lingers there while its connections end.
    for (const [key, inner] of Object.entries(here)) if (key !== 'draining_state') visit(inner);
  };
  const { configs } = await envoy.configDump();
  for (const config of configs) {
    for (const [key, value] of Object.entries(config)) if (key.startsWith('dynamic_')) visit(value);
  }
  return found;
}

/** Envoy has exactly this snapshot: names, versions, and what is in the messages. */
async function assertHas(envoy: RunningEnvoy, snapshot: Snapshot): Promise<void> {
  const all = await dumped(envoy);
  for (const type of ['cluster', 'endpoint', 'listener', 'route', 'secret'] as const) {
    const here = all.filter((one) => one.type === type);
    assert.deepEqual(new Set(here.map(({ name }) => name)), new Set(snapshot.names(type)), type);
    for (const { name, version, json } of here) {
      const resource = snapshot.get(type, name);
      assert(resource);
      // Envoy dumps neither versions of endpoints nor the content of secrets.
      if (type !== 'endpoint') assert.equal(version, resource.version, `${type} ${name}`);
      if (type === 'secret') continue;
      if (type === 'endpoint') assert.deepEqual(portsIn(json), portsIn(sent(resource)), name);
      else
        assert(equals(schemas[type], dumpedMessage(type, json), sent(resource)), `${type} ${name} differs`);
    }
  }
}

function sent(resource: Resource) {
  assert(resource.type !== 'secret');
  return fromBinary(schemas[resource.type], resource.bytes);
}

function dumpedMessage(type: Exclude<ResourceType, 'secret'>, dump: JsonObject) {
  const json = Object.fromEntries(Object.entries(dump).filter(([key]) => key !== '@type'));
  return fromJson(schemas[type], json, { registry });
}

/** Every port number in a message or its JSON: Envoy adds health and weights to endpoints, but no ports. */
function portsIn(value: unknown): string[] {
  const text = JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'bigint' ? String(inner) : inner,
  );
  return [...text.matchAll(/"(?:port_value|value)":(\d+)/g)].map(([, port]) => port ?? '').sort();
}

function withTls(base: Cluster): Cluster {
  const tls = pack(UpstreamTlsContextSchema, {
    commonTlsContext: {
      tlsCertificateSdsSecretConfigs: [{ name: 'default', sdsConfig: ads() }],
      validationContextType: {
        case: 'validationContextSdsSecretConfig',
        value: { name: 'ROOTCA', sdsConfig: ads() },
      },
    },
  });
  const transportSocket = create(TransportSocketSchema, {
    name: 'tls',
    configType: { case: 'typedConfig', value: tls },
  });
  return Object.assign(base, { transportSocket });
}

async function certificate(): Promise<Resource[]> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  x509.cryptoProvider.set(webcrypto);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test',
    keys,
    signingAlgorithm: algorithm,
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const text = (value: string) => ({ specifier: { case: 'inlineString' as const, value } });
  const key = text(`-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`);
  const chain = text(made.toString('pem'));
  const secrets = [
    create(SecretSchema, {
      name: 'default',
      type: { case: 'tlsCertificate', value: { certificateChain: chain, privateKey: key } },
    }),
    create(SecretSchema, {
      name: 'ROOTCA',
      type: { case: 'validationContext', value: { trustedCa: chain } },
    }),
  ];
  return secrets.map((secret) => resourceFromBytes('secret', secret.name, toBinary(SecretSchema, secret)));
}

/** A server that answers with its name, until the test ends. */
async function upstream(t: TestContext, name: string): Promise<number> {
  const server = createServer((_, response) => response.end(name));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  // A server that listens on TCP has such an address.
  return (server.address() as AddressInfo).port;
}

function get(socketPath: string, path = '/'): Promise<string> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path, agent: false, timeout: 5_000 }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve(`${response.statusCode} ${body}`));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', (error) => resolve(error.message));
    asked.end();
  });
}

test('Envoy gets what the snapshot has, secrets too, and follows it', async (t) => {
  const { directory, set, envoy: start, until } = await mesh(t);
  const port = await upstream(t, 'one');
  const socket = join(directory, 'web.sock');
  const secrets = await certificate();
  const snapshot = encode(
    [
      cluster('web'),
      endpoints('web', [port]),
      withTls(cluster('safe')),
      endpoints('safe', [port]),
      httpListener('http', 'r', socket),
      routes('r', ['web', 'safe']),
      tcpListener('tcp', 'web', join(directory, 'tcp.sock')),
    ],
    secrets,
  );
  assert.deepEqual(checkReferences(snapshot), []);
  set(snapshot);
  const envoy = await start();
  await envoy.ready();
  for (const type of ['listener', 'route', 'secret'] as const) {
    for (const { name, version } of snapshot.entries(type)) await until('acked', type, name, version);
  }
  await assertHas(envoy, snapshot);
  assert.equal(await get(socket), '200 one');

  const other = await upstream(t, 'two');
  const next = encode(
    [
      cluster('web', { altStatName: 'changed' }),
      endpoints('web', [other]),
      cluster('new'),
      endpoints('new', [port]),
      httpListener('http', 'r', socket),
      routes('r', ['web', 'new']),
    ],
    secrets,
  );
  set(next);
  await until('removed', 'cluster', 'safe');
  await until('acked', 'route', 'r', next.get('route', 'r')?.version);
  assert.deepEqual([await get(socket), await get(socket, '/new')], ['200 two', '200 one']);
  // Envoy drops secrets that no cluster names.
  await assertHas(envoy, withoutSecrets(next));
});

test('of good listeners and a bad one the good ones apply, and the bad one is known', async (t) => {
  const { directory, set, envoy: start, until, facts } = await mesh(t);
  const good = ['one', 'two', 'three'].map((name) =>
    tcpListener(name, 'web', join(directory, `${name}.sock`)),
  );
  const bad = tcpListener('bad', 'web', join(directory, 'bad.sock'));
  delete bad.address;
  const rest = [cluster('web'), endpoints('web', [1])];
  const broken = encode([...rest, ...good.slice(0, 2), bad, ...good.slice(2)]);
  set(broken);
  const envoy = await start();
  const fact = await until('nacked', 'listener', 'bad');
  assert.match(fact.message ?? '', /bad/);
  for (const { name } of good) await until('acked', 'listener', name);
  await assertHas(envoy, encode([...rest, ...good]));
  assert.equal(facts.filter(({ kind, name }) => kind === 'nacked' && name !== 'bad').length, 0);

  const sentBefore = facts.filter(({ kind, name }) => kind === 'sent' && name === 'bad').length;
  const mended = [...rest, ...good.slice(1), tcpListener('bad', 'web', join(directory, 'bad.sock'))];
  set(encode(mended));
  await until('acked', 'listener', 'bad');
  await until('removed', 'listener', 'one');
  await assertHas(envoy, encode(mended));
  assert.equal(facts.filter(({ kind, name }) => kind === 'sent' && name === 'bad').length, sentBefore + 1);
});

test('after a restart of the control plane Envoy is sent only what changed, and loses what is gone', async (t) => {
  const { directory, set, envoy: start, until, facts, ...server } = await mesh(t);
  const port = await upstream(t, 'up');
  const socket = join(directory, 'web.sock');
  const all = [
    cluster('web'),
    endpoints('web', [port]),
    httpListener('http', 'r', socket),
    routes('r', ['web']),
  ];
  set(
    encode([
      ...all,
      cluster('gone'),
      endpoints('gone', [port]),
      tcpListener('gone', 'gone', join(directory, 'g.sock')),
    ]),
  );
  const envoy = await start();
  await until('acked', 'route', 'r');
  await server.stop();
  assert.equal(await get(socket), '200 up');
  facts.length = 0;
  const next = encode([...all, cluster('more'), endpoints('more', [port])]);
  set(next);
  await server.start();
  await until('removed', 'cluster', 'gone');
  await until('acked', 'cluster', 'more');
  await until('acked', 'endpoint', 'more');
  await assertHas(envoy, next);
  const sent = facts.filter(({ kind }) => kind === 'sent').map(({ type, name }) => `${type} ${name}`);
  assert.deepEqual(sent, ['cluster more', 'endpoint more']);
  // It said that it has the rest.
  assert(facts.some(({ kind, type, name }) => kind === 'acked' && type === 'route' && name === 'r'));
  assert.equal(await get(socket), '200 up');
});

test('endpoints and secrets that do not exist do not block the start', async (t) => {
  const { directory, set, envoy: start } = await mesh(t);
  const port = await upstream(t, 'up');
  const socket = join(directory, 'web.sock');
  set(
    encode([
      cluster('web'),
      endpoints('web', [port]),
      cluster('no-endpoints'),
      withTls(cluster('no-secrets')),
      endpoints('no-secrets', [port]),
      httpListener('http', 'r', socket),
      routes('r', ['web']),
    ]),
  );
  const envoy = await start();
  // Envoy itself waits 15 s for what is never answered.
  await envoy.ready(8_000);
  assert.equal(await get(socket), '200 up');
});

test('a route configuration that comes to exist later ends the wait for it at once', async (t) => {
  const { directory, set, envoy: start, until } = await mesh(t);
  const port = await upstream(t, 'up');
  const socket = join(directory, 'web.sock');
  const rest = [cluster('web'), endpoints('web', [port]), httpListener('http', 'r', socket)];
  // Envoy ignores the answer that a route configuration does not exist: it warms the listener until it does.
  const incomplete = encode(rest);
  assert.deepEqual(
    checkReferences(incomplete).map(({ type, name }) => `${type} ${name}`),
    ['route r'],
  );
  set(incomplete);
  const envoy = await start();
  await until('acked', 'listener', 'http');
  set(encode([...rest, routes('r', ['web'])]));
  await envoy.ready(8_000);
  assert.equal(await get(socket), '200 up');
});

test('no request fails while clusters behind a route are replaced', async (t) => {
  const { directory, set, envoy: start, until } = await mesh(t);
  const ports = [await upstream(t, 'even'), await upstream(t, 'odd')];
  const socket = join(directory, 'web.sock');
  const round = (index: number): Snapshot =>
    encode([
      cluster(`web-${index}`),
      endpoints(`web-${index}`, [ports[index % 2] ?? 0]),
      httpListener('http', 'r', socket),
      routes('r', [`web-${index}`]),
    ]);
  set(round(0));
  const envoy = await start();
  await envoy.ready();
  await until('acked', 'route', 'r');
  const answers = new Map<string, number>();
  let done = false;
  const load = Array.from({ length: 4 }, async () => {
    while (!done) {
      const answer = await get(socket);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
  });
  for (let index = 1; index <= 25; index++) {
    set(round(index));
    if (index % 3 === 0) await until('removed', 'cluster', `web-${index - 1}`);
    else await pause(5 * index);
  }
  await until('removed', 'cluster', 'web-24');
  done = true;
  await Promise.all(load);
  assert.deepEqual([...answers.keys()].sort(), ['200 even', '200 odd']);
  await assertHas(envoy, round(25));
});
