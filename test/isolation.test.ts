/** What a pod cannot see and cannot do, tried from inside it; and what is on the wire. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test, { after, before } from 'node:test';
import { backend, type Count, caller, namespace, service } from './support/lab.ts';
import { eventually, type Mesh, type MeshPod, type Ran, startMesh } from './support/mesh.ts';
import { namespacesMissing } from './support/namespace.ts';

const skip = namespacesMissing();
const options = { skip };

const strict = `---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: lab }
spec: { mtls: { mode: STRICT } }
`;

/** A pod without a sidecar. */
const outsider = `---
apiVersion: v1
kind: Pod
metadata:
  name: outsider
  namespace: lab
  labels: { app: outsider, sidecar.istio.io/inject: "false" }
  annotations: { weft.dev/run: sleep 100000 }
spec:
  containers: [{ name: app, image: outsider }]
`;

let mesh: Mesh;
let server: MeshPod;
let plain: MeshPod;
before(async () => {
  if (skip !== false) return;
  mesh = await startMesh({
    files: {
      'namespace.yaml': namespace + strict,
      'backend.yaml': service('backend', 'backend') + backend({ version: 'v1', replicas: 1 }),
      'caller.yaml': caller(20),
      'outsider.yaml': outsider,
      target: 'http://backend/',
    },
  });
  server = await mesh.pod('backend-v1');
  plain = await mesh.pod('outsider');
});
after(async () => {
  if (skip === false) await mesh[Symbol.asyncDispose]();
});

const inApp = (...command: readonly string[]): Promise<Ran> => mesh.asProcessOf(server, 'app', command);
const inProxy = (...command: readonly string[]): Promise<Ran> => mesh.asProcessOf(server, 'proxy', command);

test('what is hidden from pods is there', options, async () => {
  const { workloads } = JSON.parse((await mesh.ask('runtime.sock', '/v1/workloads')).body);
  assert.equal(workloads.length, 3);
  const own = await mesh.ask('agent.sock', '/workloads');
  assert.equal(own.status, 200);
});

test('an app sees nothing of the mesh', options, async () => {
  for (const path of ['/run/weft', '/run/netns']) {
    const { code, stdout } = await inApp('ls', '-A', path);
    assert.deepEqual({ path, code, stdout }, { path, code: 0, stdout: '' });
  }
  for (const path of ['.weft', '.weft/ca/root.key', '.weft/run.json', '.weft/metrics-token']) {
    const { code, stdout } = await inApp('ls', `${mesh.directory}/${path}`);
    assert.deepEqual({ path, ok: code === 0, stdout }, { path, ok: false, stdout: '' });
  }
});

test('an app reaches none of the sockets of the mesh', options, async () => {
  const { pod } = server;
  const other = (await mesh.pod('caller')).pod;
  const sockets = [
    'agent.sock',
    'control-plane.sock',
    'control-plane.admin.sock',
    'runtime.sock',
    `w/lab_${pod}/admin.sock`,
    `w/lab_${pod}/xds.sock`,
    `w/lab_${other}/xds.sock`,
    'self/admin.sock',
  ];
  for (const socket of sockets) {
    const { code } = await inApp('curl', '-s', '--unix-socket', `/run/weft/${socket}`, 'http://mesh/');
    assert.equal(code, 7, `curl cannot connect to ${socket}`);
  }
  for (const port of [15_000, 15_010, 15_012, 15_020]) {
    const { code } = await inApp('curl', '-s', `http://127.0.0.1:${port}/config_dump`);
    assert.equal(code, 7, `nothing listens on ${port}`);
  }
});

test('an app has no privilege, and sees no process but its own', options, async () => {
  // Of the app itself, as this machine sees it.
  const status = await readFile(`/proc/${await mesh.hostPid(server.pids.app)}/status`, 'utf8');
  const uid = Number(/^Uid:\t(\d+)/m.exec(status)?.[1]);
  assert.ok(uid >= 10_000 && uid !== 65_534, `the user ${uid} is nobody's`);
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    assert.match(status, new RegExp(`^${set}:\t0000000000000000$`, 'm'));
  }
  assert.match(status, /^NoNewPrivs:\t1$/m);
  const seen = (await inApp('ls', '/proc')).stdout.split('\n');
  assert.ok(!seen.includes(String(server.pids.proxy)), 'not its sidecar');
  assert.ok(!seen.includes('1'), 'not the first of the mesh');
  assert.ok(seen.includes(String(server.pids.app)), 'its own it does');
  const { code } = await inApp('kill', '-9', String(server.pids.proxy));
  assert.notEqual(code, 0);
  assert.equal((await mesh.pod('backend-v1')).proxyRestarts, 0);
});

test('a sidecar sees its own directory and no other', options, async () => {
  assert.equal((await inProxy('ls', '-A', '/run/weft')).stdout, 'self\n');
  const own = (await inProxy('ls', '-A', '/run/weft/self')).stdout.split('\n');
  assert.ok(own.includes('xds.sock') && own.includes('admin.sock'), own.join());
  assert.equal((await inProxy('ls', '-A', '/run/netns')).stdout, '');
  for (const path of [`${mesh.directory}/.weft`, '/run/weft/w']) {
    assert.notEqual((await inProxy('ls', path)).code, 0, path);
  }
});

test('a private key is never shown', options, async () => {
  const { body } = await mesh.ask('agent.sock', `/workloads/lab/${server.pod}/envoy/config_dump`);
  assert.ok(!body.includes('PRIVATE KEY'));
  const secrets: readonly {
    readonly name: string;
    readonly secret: { readonly tls_certificate?: object };
  }[] = JSON.parse(body).configs.flatMap(
    (part: { dynamic_active_secrets?: readonly object[] }) => part.dynamic_active_secrets ?? [],
  );
  const own = secrets.find(({ name }) => name === 'default')?.secret.tls_certificate;
  assert.ok(own !== undefined, 'the certificate is there');
  const key = Buffer.from('[redacted]').toString('base64');
  assert.ok(
    JSON.stringify(own).includes(`"private_key":{"inline_bytes":"${key}"}`),
    JSON.stringify(own).slice(-200),
  );
  const { stdout } = await mesh.weft('proxy', 'config', 'all', 'backend-v1', '-n', 'lab', '-o', 'json');
  assert.ok(stdout.length > 1_000);
  assert.ok(
    !stdout.includes('PRIVATE KEY') && !stdout.includes(Buffer.from('-----BEGIN EC PRIV').toString('base64')),
  );
});

/** Sends bytes and says what came back: how many, and how it ended. */
const sendPlaintext = `
const [host, port] = process.argv.slice(1);
let bytes = 0, end = 'closed';
const socket = require('node:net').connect(+port, host, () => socket.write('GET / HTTP/1.1\\r\\nhost: backend\\r\\n\\r\\n'));
socket.on('data', (data) => { bytes += data.length; });
socket.on('error', (error) => { end = error.code; });
socket.on('close', () => console.log(bytes + ' ' + end));
socket.setTimeout(30000, () => { end = 'silence'; socket.destroy(); });
`;

test('a STRICT port gives no byte to who speaks plaintext', options, async () => {
  const send = [process.execPath, '-e', sendPlaintext, server.ip, '8080'];
  const { stdout } = await mesh.inNamespaceOf(plain, send);
  assert.match(stdout, /^0 (ECONNRESET|closed)\n$/);
  // The same from one who has a sidecar goes well, so it is not that nobody answers.
  const url = 'http://backend/';
  const pod = await mesh.pod('caller');
  assert.equal(
    (await mesh.asProcessOf(pod, 'app', ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', url])).stdout,
    '200',
  );
});

test('the certificate on the wire names the workload', options, async () => {
  const connect = `openssl s_client -connect ${server.ip}:8080 -alpn weft -showcerts </dev/null 2>&1`;
  const { stdout } = await mesh.inNamespaceOf(plain, ['sh', '-c', connect]);
  const [pem = ''] = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(stdout) ?? [stdout];
  const show = `openssl x509 -noout -subject -ext subjectAltName,basicConstraints,extendedKeyUsage <<'PEM'\n${pem}\nPEM`;
  const { stdout: certificate } = await mesh.inNamespaceOf(plain, ['sh', '-c', show]);
  assert.match(certificate, /URI:spiffe:\/\/cluster\.local\/ns\/lab\/sa\/backend\n/);
  assert.match(certificate, /CN ?= ?backend-v1/);
  assert.match(certificate, /OU ?= ?backend\b/);
  assert.match(certificate, /\bO ?= ?v1\b/);
  assert.match(certificate, /CA:FALSE/);
});

test('who has no certificate of the mesh gets no answer over TLS either', options, async () => {
  const request = `printf 'GET / HTTP/1.1\\r\\nhost: backend\\r\\nconnection: close\\r\\n\\r\\n'; sleep 2`;
  const connect = `(${request}) | openssl s_client -quiet -connect ${server.ip}:8080 -alpn weft 2>&1`;
  const { stdout } = await mesh.inNamespaceOf(plain, ['sh', '-c', connect]);
  assert.ok(!stdout.includes('HTTP/1.1'), stdout);
  assert.match(stdout, /alert|errno|error/i);
});

test('a permission that is taken away is taken from connections that stand as well', options, async () => {
  const count = async (): Promise<Count> =>
    await eventually('the caller speaks', async () => {
      const line = (await mesh.logs('caller')).findLast((text) => text.startsWith('{"target"'));
      return line === undefined ? undefined : JSON.parse(line);
    });
  await mesh.apply(`apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: closed, namespace: lab }
spec: { action: DENY, rules: [{}] }
`);
  const before = await count();
  assert.ok(before.ok > 0, 'it was allowed');
  const refused = await eventually('it is refused', async () => {
    const now = await count();
    return now.failed > before.failed ? now : undefined;
  });
  assert.match(refused.failures.at(-1)?.why ?? '', /^403 /);
  // The last answer of a connection asks its client to open another; at twenty a second some more may be on their way.
  assert.ok(refused.ok - before.ok <= 20, `${refused.ok - before.ok} calls were still answered`);
});
