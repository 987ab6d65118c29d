/**
 * Everything around a node agent that it needs to be real: a control plane made of our CA and our discovery server, two
 * namespaces with a wire between them, and an Envoy under the sidecar's user.
 */
import type { ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer, type ServerHttp2Session } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { create, toBinary } from '@bufbuild/protobuf';
import { DeltaDiscoveryResponseSchema } from '../../gen/envoy/service/discovery/v3/discovery_pb.ts';
import { bootstrap, runAgent } from '../../src/agent/agent.ts';
import { createLatest } from '../../src/base/latest.ts';
import { createLogger, silentLogger } from '../../src/base/log.ts';
import {
  type Authority,
  createKeyAndCsr,
  createTokenIssuer,
  loadOrCreateAuthority,
  type PodIdentity,
  type SignedChain,
  type TokenIssuer,
  verifyToken,
} from '../../src/identity/identity.ts';
import { signMethod, workloadKey } from '../../src/model/names.ts';
import { typeUrls } from '../../src/snapshot/resource.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import { type AdsServer, type Fact, serveAds } from '../../src/xds/xds.ts';
import { findEnvoy } from './envoy.ts';
import { connectNamespaces, type Namespace, startNamespace } from './namespace.ts';

export const pod: PodIdentity = {
  namespace: 'campus',
  serviceAccount: 'pay',
  pod: { name: 'pay-0', uid: '7c9e6679-7425-40de-944b-e07fc1f90ae7' },
  node: 'here',
  workload: 'pay',
  app: 'payments',
  version: 'v2',
};

/** Paths of PEM files. */
export type Files = { readonly cert: string; readonly key: string; readonly roots: string };

/** Ends with the test at the latest. */
export type Running = { readonly stop: () => Promise<void> };

export type TestMesh = AsyncDisposable & {
  readonly root: string;
  /** The pod's directory. */
  readonly directory: string;
  readonly pay: Namespace;
  readonly other: Namespace;
  /** Credentials of another workload of the mesh. */
  readonly peer: Files;
  /** What the control plane wants the pod to have. */
  readonly wanted: ReturnType<typeof createLatest<Snapshot>>;
  readonly facts: readonly Fact[];
  readonly log: () => string;
  readonly startControlPlane: () => Promise<Running>;
  /** One that signs, says that there are no clusters, and never says another word. */
  readonly startHalfControlPlane: () => Promise<Running>;
  readonly startAgent: () => Promise<Running>;
  readonly startEnvoy: () => void;
  readonly killEnvoy: () => Promise<void>;
  readonly body: () => Promise<{ readonly directory: string; readonly token: string }>;
  /** Tells the agent of the pod. */
  readonly put: () => Promise<void>;
  readonly ask: (method: string, path: string, body?: string) => Promise<{ status: number; body: string }>;
};

export async function startMesh(): Promise<TestMesh> {
  const root = await mkdtemp(join(tmpdir(), 'weft-agent-'));
  // The sidecar's user has to get to its own directory; everything else in here is closed.
  await chmod(root, 0o711);
  const [pay, other] = await Promise.all([startNamespace(), startNamespace()]);
  connectNamespaces(other, pay);
  const lines: string[] = [];
  const log = createLogger((line) => lines.push(line), Date.now);
  const options = {
    directory: join(root, 'ca'),
    trustDomain: 'cluster.local',
    clock: Date.now,
    log: silentLogger,
  };
  const authority = await loadOrCreateAuthority(options);
  const issuer = await createTokenIssuer();
  const wanted = createLatest<Snapshot>();
  const facts: Fact[] = [];
  const directory = join(root, 'w', 'campus_pay-0');
  const body = async () => ({
    pod: { namespace: pod.namespace, ...pod.pod },
    serviceAccount: pod.serviceAccount,
    token: await issuer.issue(pod, { now: Date.now(), ttl: 600_000 }),
    netns: pay.path,
    directory,
  });
  const socket = join(root, 'agent.sock');
  const ask: TestMesh['ask'] = (method, path, text) => askAgent(socket, { method, path, text });
  const envoy = createSidecar(pay, directory);
  const running = new Set<() => Promise<void>>();
  const plane = { root, wanted, facts, authority, issuer };
  const endable = (server: AsyncDisposable): Running => {
    let ended: Promise<void> | undefined;
    const stop = async (): Promise<void> => {
      ended ??= Promise.resolve(server[Symbol.asyncDispose]());
      await ended;
    };
    running.add(stop);
    return { stop };
  };
  return {
    root,
    directory,
    pay,
    other,
    peer: await peerFiles(root, authority, issuer),
    wanted,
    facts,
    log: () => lines.join(''),
    startControlPlane: async () => endable(await serveControlPlane(plane)),
    startHalfControlPlane: async () => endable(await serveHalf(plane)),
    startAgent: async () => {
      const stopping = new AbortController();
      const paths = {
        controlPlaneSocket: join(root, 'control-plane.sock'),
        socket,
        workloadRoot: join(root, 'w'),
      };
      const clocks = { clock: Date.now, random: Math.random };
      const names = { node: 'here', metricsAddress: '127.0.0.1:15090' };
      const { ended } = await runAgent({ ...paths, ...clocks, ...names, log }, stopping.signal);
      await chmod(paths.workloadRoot, 0o711);
      const stop = async (): Promise<void> => {
        stopping.abort();
        await ended;
      };
      running.add(stop);
      return { stop };
    },
    startEnvoy: envoy.start,
    killEnvoy: envoy.kill,
    body,
    put: async () => {
      const { status, body: said } = await ask(
        'PUT',
        '/workloads/campus/pay-0',
        JSON.stringify(await body()),
      );
      if (status !== 200) throw new Error(said);
    },
    ask,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...running].map((stop) => stop()));
      await envoy.kill();
      await pay[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
      await rm(root, { recursive: true });
    },
  };
}

type ControlPlane = {
  readonly root: string;
  readonly wanted: TestMesh['wanted'];
  readonly facts: Fact[];
  readonly authority: Authority;
  readonly issuer: TokenIssuer;
};

async function serveControlPlane(plane: ControlPlane): Promise<AdsServer> {
  const { root, wanted, facts } = plane;
  return await serveAds({
    listen: { path: join(root, 'control-plane.sock') },
    order: 'written',
    open: (_, signal) => wanted.follow(signal),
    onFacts: (_, heard) => facts.push(...heard),
    log: silentLogger,
    methods: { [signMethod]: async (asked) => await sign(plane, asked) },
  });
}

async function sign({ authority, issuer }: ControlPlane, asked: unknown): Promise<SignedChain> {
  // The agent's own message: what is wrong in it makes the call fail.
  const { csr, token } = asked as { csr: string; token: string };
  const now = Date.now();
  return await authority.sign({ csr, token: await verifyToken({ token, keys: issuer.keys, now }), now });
}

async function serveHalf(plane: ControlPlane): Promise<AsyncDisposable> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer().on('session', (session) => sessions.add(session));
  const clusters = create(DeltaDiscoveryResponseSchema, { typeUrl: typeUrls.cluster, nonce: '1' });
  server.on('stream', (http, headers) => {
    http.on('error', () => {});
    http.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    http.on('wantTrailers', () => http.sendTrailers({ 'grpc-status': '0' }));
    if (headers[':path'] !== signMethod) {
      http.write(framed(toBinary(DeltaDiscoveryResponseSchema, clusters)));
      return;
    }
    void buffer(http)
      .then(async (body) => await sign(plane, JSON.parse(body.subarray(5).toString())))
      .then((signed) => http.end(framed(Buffer.from(JSON.stringify(signed)))));
  });
  const path = join(plane.root, 'control-plane.sock');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function createSidecar(pay: Namespace, directory: string) {
  let envoy: ChildProcess | undefined;
  return {
    start: () => {
      const config = bootstrap({ workload: workloadKey('campus', 'pay-0'), cluster: 'pay', directory });
      const user = ['setpriv', '--reuid', '1337', '--regid', '1337', '--clear-groups'];
      const args = ['--config-yaml', config, '--disable-hot-restart', '--concurrency', '1', '-l', 'warn'];
      envoy = pay.start(...user, findEnvoy(), ...args);
      envoy.stdout?.resume();
      envoy.stderr?.resume();
    },
    kill: async () => {
      if (!envoy || envoy.exitCode !== null || envoy.signalCode !== null) return;
      const ended = new Promise((resolve) => envoy?.once('exit', resolve));
      envoy.kill('SIGKILL');
      await ended;
    },
  };
}

async function peerFiles(root: string, authority: Authority, issuer: TokenIssuer): Promise<Files> {
  const now = Date.now();
  const token = await issuer.issue({ ...pod, serviceAccount: 'portal' }, { now, ttl: 60_000 });
  const { key, csr } = await createKeyAndCsr();
  const signed = await authority.sign({
    csr,
    token: await verifyToken({ token, keys: issuer.keys, now }),
    now,
  });
  const files = { cert: join(root, 'peer.pem'), key: join(root, 'peer.key'), roots: join(root, 'roots.pem') };
  await writeFile(files.cert, signed.chain.join(''));
  await writeFile(files.key, key, { mode: 0o600 });
  await writeFile(files.roots, signed.roots);
  return files;
}

function askAgent(
  socketPath: string,
  { method, path, text }: { method: string; path: string; text: string | undefined },
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, agent: false, timeout: 10_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.on('timeout', () => asked.destroy(new Error(`${method} ${path}: no answer`)));
    asked.on('error', reject);
    asked.end(text);
  });
}
