import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { fixedReaders } from '../cli/testing/fixed-mesh.ts';
import { type AdminReaders, serveAdmin } from './admin.ts';

type Reply = { readonly status: number; readonly type: string; readonly body: string };

async function call(socketPath: string, path: string, method = 'GET'): Promise<Reply> {
  const sent = request({ socketPath, path, method, agent: false }).end();
  // The event carries the response as its one argument.
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
  return { status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body };
}

async function withAdmin(over: Partial<AdminReaders>, use: (path: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'weft-admin-'));
  try {
    const path = join(directory, 'admin.sock');
    // A socket file left by a process that was killed must not be in the way.
    await writeFile(path, '');
    await using _server = await serveAdmin({
      path,
      read: { ...fixedReaders('/mesh'), ...over },
      log: silentLogger,
    });
    await use(path);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test('each path answers JSON of its kind', () =>
  withAdmin({}, async (path) => {
    const kinds: Record<string, string> = {
      '/v1/status': 'MeshStatus',
      '/v1/objects': 'ObjectList',
      '/v1/proxies': 'ProxyList',
      '/v1/problems': 'ProblemList',
    };
    for (const [at, kind] of Object.entries(kinds)) {
      const { status, type, body } = await call(path, at);
      assert.deepEqual([status, type], [200, 'application/json']);
      const { apiVersion, kind: said } = JSON.parse(body);
      assert.deepEqual([apiVersion, said], ['weft.dev/v1alpha1', kind]);
    }
  }));

test('objects are chosen by kind, namespace and name', () =>
  withAdmin({}, async (path) => {
    const names = async (query: string): Promise<string[]> =>
      JSON.parse((await call(path, `/v1/objects?${query}`)).body).items.map(
        (item: { object: { metadata: { name: string } } }) => item.object.metadata.name,
      );
    assert.deepEqual(await names('kind=Service'), ['pay', 'web']);
    assert.deepEqual(await names('kind=Service&namespace=campus&name=web'), ['web']);
    assert.deepEqual(await names('namespace=elsewhere'), []);
  }));

test('only its owner may open the socket', () =>
  withAdmin({}, async (path) => {
    assert.equal(((await stat(path)).mode & 0o777).toString(8), '600');
  }));

test('unknown paths, other methods and failing reads answer what to do', () =>
  withAdmin(
    {
      proxies: () => {
        throw new Error('no memory');
      },
    },
    async (path) => {
      const error = async (at: string, method?: string): Promise<unknown[]> => {
        const { status, body } = await call(path, at, method);
        const { kind, code, message, fix } = JSON.parse(body);
        assert.equal(kind, 'Error');
        assert.ok(fix.length > 10);
        return [status, code, message];
      };
      assert.deepEqual(await error('/v1/nothing'), [404, 'NotFound', 'nothing at /v1/nothing']);
      assert.deepEqual(await error('/__proto__'), [404, 'NotFound', 'nothing at /__proto__']);
      assert.equal((await error('//'))[0], 404);
      for (const method of ['POST', 'DELETE', 'PUT'])
        assert.deepEqual(await error('/v1/status', method), [
          405,
          'MethodNotAllowed',
          `${method} is not allowed: this socket only reads`,
        ]);
      assert.equal((await error('/v1/proxies'))[0], 500);
    },
  ));

test('health follows what the control plane says of itself', async () => {
  await withAdmin({}, async (path) => {
    assert.deepEqual((await call(path, '/healthz')).body, 'ok\n');
  });
  await withAdmin({ unhealthy: () => 'the directory is gone' }, async (path) => {
    const { status, body } = await call(path, '/healthz');
    assert.deepEqual([status, body], [503, 'the directory is gone\n']);
  });
});

test('metrics in the text format', () =>
  withAdmin({}, async (path) => {
    const { body } = await call(path, '/metrics');
    const samples = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    assert.deepEqual(samples, [
      'weft_proxies{state="connected"} 2',
      'weft_proxies{state="in_sync"} 1',
      'weft_resources_sent_total 24',
      'weft_nacks_total 1',
      'weft_resolve_seconds_sum 0.012',
      'weft_resolve_seconds_count 3',
    ]);
  }));
