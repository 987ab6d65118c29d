/** A real Prometheus finds the mesh by itself, scrapes it, and answers what people ask of Istio. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import test, { after, before } from 'node:test';
import { eventually, freePort, type Mesh, startMesh } from './support/mesh.ts';
import { namespacesMissing } from './support/namespace.ts';

const prometheus = findPrometheus();
const skip = namespacesMissing() || (prometheus === undefined && 'needs prometheus: npm run setup');
const options = { skip };

let mesh: Mesh;
let asking: Prometheus;
before(async () => {
  if (skip !== false) return;
  mesh = await startMesh({ demo: true });
  asking = await startPrometheus(mesh);
});
after(async () => {
  if (skip !== false) return;
  await asking[Symbol.asyncDispose]();
  await mesh[Symbol.asyncDispose]();
});

function findPrometheus(): string | undefined {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const places = [...(process.env.PATH ?? '').split(delimiter), join(cache, 'weft/debian/usr/bin')];
  return places
    .map((place) => join(place, 'prometheus'))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        // Not there.
        return false;
      }
    });
}

type Found = { readonly metric: Readonly<Record<string, string>>; readonly value: number };
type Target = {
  readonly health: string;
  readonly lastError: string;
  readonly scrapeUrl: string;
  readonly labels: Readonly<Record<string, string>>;
};
type Prometheus = AsyncDisposable & {
  /** Series that a query gives now. */
  readonly query: (promql: string) => Promise<readonly Found[]>;
  readonly targets: () => Promise<readonly Target[]>;
};

/**
 * It is told one address and one token; where to scrape it learns there. The word Bearer is the default, but to older versions
 * not where targets are found.
 */
async function startPrometheus({ metricsUrl, directory }: Mesh): Promise<Prometheus> {
  const home = await mkdtemp(join(tmpdir(), 'weft-prometheus-'));
  const config = `global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: mesh
    authorization: { credentials_file: ${directory}/.weft/metrics-token }
    http_sd_configs:
      - url: ${new URL('/targets', metricsUrl)}
        refresh_interval: 1s
        authorization: { type: Bearer, credentials_file: ${directory}/.weft/metrics-token }
`;
  await writeFile(join(home, 'prometheus.yml'), config);
  const address = `127.0.0.1:${await freePort()}`;
  const args = [`--config.file=${home}/prometheus.yml`, `--storage.tsdb.path=${home}/data`];
  const listen = `--web.listen-address=${address}`;
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', prometheus ?? '', ...args, listen], {
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const ask = async (path: string): Promise<unknown> => {
    const response = await fetch(`http://${address}/api/v1/${path}`);
    const answer = Object(await response.json());
    assert.equal(answer.status, 'success', JSON.stringify(answer));
    return answer.data;
  };
  return {
    query: async (promql) => {
      const data = Object(await ask(`query?query=${encodeURIComponent(promql)}`));
      const found: readonly { metric: Record<string, string>; value: [number, string] }[] = data.result;
      return found.map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }));
    },
    targets: async () => Object(await ask('targets')).activeTargets,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Asks until something is there; metrics are as old as the last scrape. */
async function found(
  promql: string,
  enough: (series: readonly Found[]) => boolean = (series) => series.length > 0,
): Promise<readonly Found[]> {
  let seen: readonly Found[] = [];
  return await eventually(
    () => `${promql}: ${JSON.stringify(seen)}`,
    async () => {
      seen = await asking.query(promql);
      return enough(seen) ? seen : undefined;
    },
    { tries: 300 },
  );
}

const payCore = 'pay-core.campus.svc.cluster.local';
const ledger = 'ledger.campus.svc.cluster.local';

test('the target is found by asking the mesh, with the token alone', options, async () => {
  let seen: readonly Target[] = [];
  const target = await eventually(
    () => `the target is up: ${JSON.stringify(seen)}`,
    async () => {
      seen = await asking.targets();
      return seen[0]?.health === 'up' ? seen[0] : undefined;
    },
    { tries: 300 },
  );
  assert.equal(seen.length, 1);
  assert.equal(target.scrapeUrl, mesh.metricsUrl);
  assert.equal(target.lastError, '');
  assert.equal(target.labels['job'], 'weft');
  for (const headers of [{}, { authorization: 'Bearer 0123456789abcdef0123456789abcdef' }]) {
    const refused = await fetch(mesh.metricsUrl, { headers });
    assert.equal(refused.status, 401);
    assert.ok(!(await refused.text()).includes('istio_'));
  }
});

test('the rate of requests by service and code', options, async () => {
  const query =
    'sum by (destination_service, response_code) (rate(istio_requests_total{reporter="destination"}[30s]))';
  const series = await found(query, (all) =>
    all.some(
      ({ metric, value }) =>
        metric['destination_service'] === payCore && metric['response_code'] === '201' && value > 0,
    ),
  );
  const services = new Set(series.map(({ metric }) => metric['destination_service']?.split('.')[0]));
  for (const name of ['web', 'api-gw', 'catalog', 'enrol', 'fx', 'ledger', 'notify', 'risk']) {
    assert.ok(services.has(name), `${name} in ${[...services]}`);
  }
});

test('latency as a quantile of a histogram', options, async () => {
  const query = `histogram_quantile(0.95, sum by (le) (rate(
    istio_request_duration_milliseconds_bucket{destination_service="${payCore}",reporter="destination"}[30s])))`;
  const [first] = await found(query, ([one]) => one !== undefined && one.value > 0);
  assert.ok(first !== undefined && Number.isFinite(first.value), 'a number, with a bucket for every answer');
});

test('bytes of TCP, and who sent them', options, async () => {
  const by = 'sum by (source_workload, destination_service)';
  const sent = await found(`${by} (istio_tcp_sent_bytes_total{destination_service="${ledger}"})`);
  assert.deepEqual(
    sent.map(({ metric }) => metric['source_workload']),
    ['pay-core-v1'],
  );
  assert.ok((sent[0]?.value ?? 0) > 0);
});

test('what is mutual TLS says so, on both sides with the names of both', options, async () => {
  const everything =
    'sum by (connection_security_policy, destination_app) (istio_requests_total{reporter="destination"})';
  const series = await found(everything, (all) => all.length >= 8);
  for (const { metric } of series) {
    if (metric['destination_app'] !== 'web') {
      assert.equal(metric['connection_security_policy'], 'mutual_tls', JSON.stringify(metric));
    }
  }
  const edge = `istio_requests_total{reporter="destination",destination_service="${payCore}",connection_security_policy="mutual_tls"}`;
  const [first] = await found(edge);
  const metric = first?.metric ?? {};
  const wanted = {
    source_workload: 'enrol',
    source_workload_namespace: 'campus',
    source_principal: 'spiffe://cluster.local/ns/campus/sa/enrol',
    destination_workload: 'pay-core-v1',
    destination_workload_namespace: 'campus',
    destination_principal: 'spiffe://cluster.local/ns/campus/sa/pay-core',
    destination_service_name: 'pay-core',
    destination_service_namespace: 'campus',
    destination_version: 'v1',
    request_protocol: 'http',
  };
  const got = Object.fromEntries(Object.keys(wanted).map((name) => [name, metric[name]]));
  assert.deepEqual(got, wanted);
});

test('what is counted is what was asked', options, async () => {
  const total = (reporter: string): string =>
    `sum(istio_requests_total{reporter="${reporter}",destination_service="web.campus.svc.cluster.local",response_code="404"})`;
  for (let turn = 0; turn < 25; turn++) {
    assert.equal((await fetch(`${mesh.shopUrl}/nothing-here`)).status, 404);
  }
  const [counted] = await found(total('destination'), ([one]) => (one?.value ?? 0) >= 25);
  assert.equal(counted?.value, 25);
});
