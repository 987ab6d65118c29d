import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { capture } from '../src/agent/capture.ts';
import { AgentError } from '../src/agent/errors.ts';
import { connectNamespaces, type Namespace, namespacesMissing, startNamespace } from './support/namespace.ts';

const skip = namespacesMissing();

/** Says on each port who it is: the app, the sidecar outbound, the sidecar inbound. */
const servers = `
  const net = require('node:net');
  const names = { 8080: 'app', 9000: 'far', 15001: 'outbound', 15006: 'inbound', 15021: 'ready', 15020: 'app', 15090: 'app' };
  Promise.all(process.argv.slice(1).map((port) => new Promise((done) => net.createServer((socket) => {
    socket.on('error', () => {});
    socket.end(names[port]);
  }).listen(Number(port), '0.0.0.0', done)))).then(() => console.log('up'));`;

const client = `
  const [host, port, localAddress] = process.argv.slice(1);
  const socket = require('node:net').connect({ host, port: Number(port), localAddress, timeout: 2000 });
  socket.on('data', (data) => process.stdout.write(data));
  socket.on('timeout', () => socket.destroy(new Error('timeout')));
  socket.on('error', (error) => process.stdout.write(error.code ?? error.message));`;

async function serve(namespace: Namespace, ...ports: number[]): Promise<void> {
  const child = namespace.start(process.execPath, '-e', servers, ...ports.map(String));
  assert.ok(child.stdout);
  await once(child.stdout, 'data');
}

const node = (...args: string[]): string[] => [process.execPath, '-e', client, ...args];
const asProxy = ['setpriv', '--reuid', '1337', '--regid', '1337', '--clear-groups'];

test('a captured pod sends and receives through its sidecar, and only TCP of others is captured', {
  skip,
}, async () => {
  await using pod = await startNamespace();
  await using other = await startNamespace();
  connectNamespaces(other, pod);
  await serve(pod, 8080, 15001, 15006, 15020, 15021, 15090);
  await serve(other, 9000);

  assert.equal(pod.run(...node('10.250.0.1', '9000')), 'far');
  assert.equal(other.run(...node('10.250.0.2', '8080')), 'app');
  await capture(pod.path);
  await capture(pod.path);
  assert.equal(pod.run('nft', 'list', 'tables').trim(), 'table inet weft');

  assert.equal(pod.run(...node('10.250.0.1', '9000')), 'outbound', 'the app calls out');
  assert.equal(pod.run(...node('10.96.0.10', '80')), 'outbound', 'the app calls a service address');
  assert.equal(pod.run(...node('127.0.0.1', '8080')), 'app', 'loopback is left alone');
  assert.equal(pod.run(...asProxy, ...node('10.250.0.1', '9000')), 'far', 'the sidecar calls out');
  assert.equal(
    pod.run(...asProxy, ...node('10.250.0.2', '8080')),
    'inbound',
    'the sidecar calls its own pod',
  );
  assert.equal(
    pod.run(...asProxy, ...node('10.250.0.2', '8080', '127.0.0.6')),
    'app',
    'the sidecar hands in',
  );
  assert.equal(other.run(...node('10.250.0.2', '8080')), 'inbound', 'others call in');
  assert.equal(other.run(...node('10.250.0.2', '7777')), 'inbound', 'on any port');
  for (const port of ['15020', '15090'])
    assert.equal(other.run(...node('10.250.0.2', port)), 'inbound', 'on ports of other meshes as well');
  assert.equal(other.run(...node('10.250.0.2', '15021')), 'ready', 'readiness is asked directly');
});

test("no rule is ever written into the node's own namespace", { skip }, async () => {
  const refused = (error: unknown): boolean => error instanceof AgentError && error.code === 'WEFT-2203';
  const before = readlinkSync('/proc/self/ns/net');
  await assert.rejects(capture('/proc/self/ns/net'), refused);
  await assert.rejects(capture(`/proc/${process.pid}/ns/net`), refused);
  await assert.rejects(capture('/proc/1/ns/net'), refused);
  await assert.rejects(capture('/proc/self/status'), refused);
  await assert.rejects(capture('/etc/passwd'), refused);
  await assert.rejects(capture('/nowhere'), refused);
  assert.equal(readlinkSync('/proc/self/ns/net'), before);
});
