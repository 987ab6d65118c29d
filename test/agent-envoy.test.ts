import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { drain } from '../src/agent/drain.ts';
import { startScrapes } from '../src/agent/scrapes.ts';
import { startEnvoy } from './support/envoy.ts';

const type = (suffix: string): string => `type.googleapis.com/envoy.${suffix}`;

/** Forwards to `upstream`, counting as a sidecar counts what comes in; its own port is the kernel's to choose. */
function sidecar(upstream: number): string {
  const labels = {
    reporter: 'source',
    source_workload: 'portal',
    source_workload_namespace: 'campus',
    destination_workload: 'pay',
    destination_workload_namespace: 'campus',
    response_code: '%RESPONSE_CODE%',
  };
  const tags = Object.entries(labels).map(([name, value]) => ({ name, value_format: value }));
  const stats = {
    '@type': type('extensions.access_loggers.stats.v3.Config'),
    stats_scope: { prefix: 'istio' },
    counters: [{ stat: { name: 'requests_total', tags }, value_fixed: 1 }],
  };
  const manager = {
    '@type': type('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'inbound',
    access_log: [{ name: 'stats', typed_config: stats }],
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'app' } }] },
      ],
    },
    http_filters: [
      { name: 'router', typed_config: { '@type': type('extensions.filters.http.router.v3.Router') } },
    ],
  };
  const address = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });
  const endpoint = { endpoint: { address: address(upstream) } };
  return JSON.stringify({
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: address(0),
          filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
        },
      ],
      clusters: [
        { name: 'app', load_assignment: { cluster_name: 'app', endpoints: [{ lb_endpoints: [endpoint] }] } },
      ],
    },
  });
}

/** An app that answers `/` at once and anything else when told to. */
async function startApp() {
  const waiting: ServerResponse[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/') response.end('ok');
    else waiting.push(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // It listens on TCP, so the address is not a string.
    port: (server.address() as AddressInfo).port,
    waiting,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function startBoth() {
  const app = await startApp();
  const envoy = await startEnvoy({ bootstrap: sidecar(app.port) });
  await envoy.ready();
  const { listener_statuses: listeners } = JSON.parse((await envoy.admin('/listeners?format=json')).body);
  const port: number = listeners[0].local_address.socket_address.port_value;
  const call = async (path: string): Promise<number> => {
    const [response] = await once(get({ host: '127.0.0.1', port, path, agent: false }), 'response');
    response.resume();
    await once(response, 'end');
    return response.statusCode;
  };
  return {
    envoy,
    app,
    call,
    [Symbol.asyncDispose]: async () => {
      await envoy[Symbol.asyncDispose]();
      await app[Symbol.asyncDispose]();
    },
  };
}

test('drain waits for the requests that are under way, but not for ever', async () => {
  await using both = await startBoth();
  const { adminSocket } = both.envoy;
  const { signal } = new AbortController();
  const slow = both.call('/slow');
  while (both.app.waiting.length === 0) await new Promise(setImmediate);

  assert.equal(await drain({ adminSocket, clock: Date.now, limit: 600 }, signal), false);
  const drained = drain({ adminSocket, clock: Date.now, limit: 10_000 }, signal);
  both.app.waiting[0]?.end('at last');
  assert.equal(await slow, 200);
  assert.equal(await drained, true);
  assert.equal(await drain({ adminSocket: '/nowhere.sock', clock: Date.now, limit: 10_000 }, signal), true);
  assert.equal(await drain({ adminSocket, clock: Date.now, limit: 10_000 }, AbortSignal.abort()), false);
});

test('scrapes of a real sidecar become metrics and edges; one that does not answer keeps its numbers', async () => {
  await using both = await startBoth();
  const end = new AbortController();
  let now = 0;
  let adminSocket = '/nowhere.sock';
  const targets = () => [
    { namespace: 'campus', pod: 'portal-0', adminSocket },
    { namespace: 'campus', pod: 'gone-0', adminSocket: '/nowhere.sock' },
  ];
  await both.call('/');
  const scrapes = startScrapes({ targets, clock: () => now }, end.signal);
  const scrape = async (at: number): Promise<string> => {
    now = at;
    return await scrapes.exposition([
      { name: 'weft_agent_workloads', type: 'gauge', lines: ['weft_agent_workloads 2'] },
    ]);
  };
  assert.equal((await scrape(2_000)).split('\n').length, 3);

  adminSocket = both.envoy.adminSocket;
  assert.match(
    await scrape(5_000),
    /^istio_requests_total\{namespace="campus",pod="portal-0",reporter="source".*\} 1$/m,
  );
  assert.deepEqual(scrapes.edges(60), [], 'what was counted before the first scrape is no traffic of now');

  for (let calls = 0; calls < 20; calls++) await both.call('/');
  assert.match(await scrape(15_000), /^weft_agent_workloads 2$/m);
  const [edge] = scrapes.edges(10);
  assert.deepEqual(
    [edge?.source, edge?.target, edge?.rps, edge?.successRate],
    ['campus/portal', 'campus/pay', 2, 1],
  );

  adminSocket = '/nowhere.sock';
  assert.match(await scrape(25_000), /^istio_requests_total\{.*\} 21$/m);
  assert.deepEqual(scrapes.edges(10), []);
  assert.equal(scrapes.edges(20)[0]?.rps, 1);
  end.abort();
});
