import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { edgeMetrics, edges, quantile, type Reading } from './edges.ts';
import { mergeFamilies, readFamilies, readSamples, type Series } from './exposition.ts';

/** Printed by an Envoy with the stats access logger; labels that nothing here reads are cut out. */
const recorded = (name: string): string =>
  readFileSync(join(import.meta.dirname, 'testdata', `${name}.prom`), 'utf8');
const target = { namespace: 'campus', pod: 'portal-0' };
const reading = (text: string, memory?: Map<string, Series>): Reading =>
  readSamples(readFamilies(text, target), edgeMetrics, memory);

test('edges of recorded metrics', () => {
  const found = edges(reading(recorded('before')), reading(recorded('after')), 5);
  assert.deepEqual(
    found.map((edge) => ({ ...edge, p50Ms: 0, p99Ms: 0 })),
    [
      {
        source: 'campus/portal',
        target: 'campus/ledger',
        rps: null,
        successRate: null,
        denied: null,
        p50Ms: 0,
        p99Ms: 0,
        connections: 3,
        mtls: true,
      },
      {
        source: 'campus/portal',
        target: 'campus/pay',
        rps: 5,
        successRate: 0.8,
        denied: 0,
        p50Ms: 0,
        p99Ms: 0,
        connections: 0,
        mtls: true,
      },
      {
        source: 'unknown',
        target: 'campus/pay',
        rps: 0.8,
        successRate: 1,
        denied: 0,
        p50Ms: 0,
        p99Ms: 0,
        connections: 0,
        mtls: false,
      },
    ],
  );
  const [tcp, http] = found;
  assert.equal(tcp?.p50Ms, null);
  assert.ok(http?.p50Ms && http.p50Ms > 0 && http.p50Ms <= 5);
});

test('nothing moved, no edges; a proxy that began again counts from zero', () => {
  const [before, after] = [reading(recorded('before')), reading(recorded('after'))];
  assert.deepEqual(edges(after, after, 5), []);
  assert.deepEqual(
    edges(after, before, 1).map(({ target: to, rps }) => [to, rps]),
    [['campus/pay', 7]],
  );
});

const sample = (labels: Record<string, string>, value: number): string => {
  const all = {
    reporter: 'source',
    source_workload: 'a',
    source_workload_namespace: 'n',
    response_code: '200',
    ...labels,
  };
  return `envoy_istio_requests_total{${Object.entries(all)
    .map(([k, v]) => `${k}="${v}"`)
    .join(',')}} ${value}`;
};
const counters = (...lines: string[]): Reading =>
  reading(['# TYPE envoy_istio_requests_total counter', ...lines].join('\n'));

test('what counts as a success, and who is at the end', () => {
  const to = { destination_workload: 'b', destination_workload_namespace: 'n' };
  const lost = {
    destination_workload: 'unknown',
    destination_service_name: 'gone',
    destination_service_namespace: 'n',
  };
  const after = counters(
    sample(to, 6),
    sample({ ...to, response_code: '404' }, 1),
    sample({ ...to, response_code: '502' }, 1),
    sample({ ...to, grpc_response_status: '0' }, 1),
    sample({ ...to, grpc_response_status: '14' }, 1),
    sample({ ...lost, response_code: '503' }, 2),
    sample({ destination_workload: 'unknown', destination_service_name: 'PassthroughCluster' }, 1),
  );
  assert.deepEqual(
    edges(new Map(), after, 1).map((edge) => [edge.target, edge.rps, edge.successRate, edge.mtls]),
    [
      ['PassthroughCluster', 1, 1, null],
      ['n/b', 10, 0.8, null],
      ['n/gone', 2, 0, null],
    ],
  );
});

test('what was denied is counted apart, and is no failure', () => {
  const to = { destination_workload: 'b', destination_workload_namespace: 'n' };
  const after = counters(
    sample(to, 5),
    sample({ ...to, response_code: '401' }, 1),
    sample({ ...to, response_code: '403' }, 2),
    sample({ ...to, response_code: '404' }, 2),
    // The target counts the same requests again.
    sample({ ...to, response_code: '403', reporter: 'destination' }, 9),
  );
  assert.deepEqual(
    edges(new Map(), after, 1).map(({ rps, successRate, denied }) => [rps, successRate, denied]),
    [[10, 1, 0.3]],
  );
});

test('one plaintext request makes an edge not mutual', () => {
  const to = { destination_workload: 'b', destination_workload_namespace: 'n' };
  const seen = (policy: string) => ({ ...to, reporter: 'destination', connection_security_policy: policy });
  const mtls = (...lines: string[]) => edges(new Map(), counters(sample(to, 9), ...lines), 1)[0]?.mtls;
  assert.equal(mtls(sample(seen('mutual_tls'), 9)), true);
  assert.equal(mtls(sample(seen('mutual_tls'), 8), sample(seen('none'), 1)), false);
});

test('many sidecars make one exposition that says each type once', () => {
  const text = mergeFamilies(
    ['one', 'two'].flatMap((pod) => readFamilies(recorded('after'), { namespace: 'campus', pod })),
  );
  const types = text.split('\n').filter((line) => line.startsWith('#'));
  assert.equal(new Set(types).size, types.length);
  assert.ok(types.includes('# TYPE istio_requests_total counter'));
  assert.ok(!text.includes('envoy_'));
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  assert.equal(new Set(lines.map((line) => line.slice(0, line.lastIndexOf(' ')))).size, lines.length);
  const given = recorded('after')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  assert.equal(lines.length, 2 * given.length);
  // A family's lines stand together, below its TYPE line.
  let family = '';
  for (const line of text.trim().split('\n')) {
    if (line.startsWith('#')) family = line.split(' ')[2] ?? '';
    else assert.ok(line.startsWith(family) && line.includes('{namespace="campus",pod="'), line);
  }
});

test('a sidecar cannot speak for another pod, nor break the exposition', () => {
  const hostile = [
    'istio_requests_total{} 1',
    '# TYPE envoy_istio_requests_total counter',
    sample({ pod: 'other' }, 1),
    sample({ namespace: 'other' }, 1),
    'envoy_istio_requests_total{a="b} 1',
    'envoy_istio_requests_total{a="b"} 1 2 3',
    'envoy_istio_requests_total{a="b"} abc',
    'envoy_istio_requests_total_bucket{a="b"} 1',
    'envoy_istio_requests_total{a="<script>\\"x"} 7',
    '# TYPE envoy_process_cpu gauge',
    'envoy_process_cpu{a="b"} 1',
    '# TYPE envoy_istio_requests_total evil',
  ].join('\n');
  assert.deepEqual(readFamilies(hostile, target), [
    {
      name: 'istio_requests_total',
      type: 'counter',
      lines: ['istio_requests_total{namespace="campus",pod="portal-0",a="<script>\\"x"} 7'],
    },
  ]);
  const gauge = [{ name: 'istio_requests_total', type: 'gauge', lines: ['istio_requests_total{} 1'] }];
  assert.ok(!mergeFamilies([...readFamilies(hostile, target), ...gauge]).includes('gauge'));
});

test('series keep their one object from scrape to scrape', () => {
  const memory = new Map<string, Series>();
  const first = reading(recorded('before'), memory);
  const second = reading(recorded('after'), memory);
  for (const [key, { series }] of first) assert.equal(second.get(key)?.series, series);
});

test('quantiles stay in their bucket and grow with q', () => {
  const bounds = [1, 5, 10, Number.POSITIVE_INFINITY];
  fc.assert(
    fc.property(fc.array(fc.nat(100), { minLength: 4, maxLength: 4 }), (counts) => {
      let sum = 0;
      const buckets = new Map<number, number>();
      for (const [index, bound] of bounds.entries()) {
        sum += counts[index] ?? 0;
        buckets.set(bound, sum);
      }
      const [low, high] = [quantile(0.5, buckets), quantile(0.99, buckets)];
      if (sum === 0) return assert.equal(low, null);
      assert.ok(low !== null && high !== null && low >= 0 && low <= high && high <= 10);
    }),
  );
  assert.equal(
    quantile(
      0.5,
      new Map([
        [10, 4],
        [20, 8],
        [Number.POSITIVE_INFINITY, 8],
      ]),
    ),
    10,
  );
  assert.equal(quantile(0.5, new Map()), null);
});

test('what Envoy does not know is unknown, as dashboards ask for it', () => {
  const text =
    '# TYPE envoy_istio_requests_total counter\n' +
    'envoy_istio_requests_total{source_app="-",response_flags="-",destination_app="a-b"} 3\n';
  assert.deepEqual(readFamilies(text, { namespace: 'campus', pod: 'web-0' })[0]?.lines, [
    'istio_requests_total{namespace="campus",pod="web-0",source_app="unknown",response_flags="-",destination_app="a-b"} 3',
  ]);
});
