import { compareStrings } from '../base/sorted.ts';
import type { Sample, Series } from './exposition.ts';

/** What one workload sent another during a while. Names are `<namespace>/<workload>`, or `unknown`. */
export type Edge = {
  readonly source: string;
  readonly target: string;
  /** HTTP and gRPC requests a second; `null` when there was only TCP. */
  readonly rps: number | null;
  /** 0 to 1, of requests; failed is HTTP 5xx or a gRPC status other than OK. */
  readonly successRate: number | null;
  /** 0 to 1, of requests; denied is HTTP 401 or 403. */
  readonly denied: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** TCP connections opened. */
  readonly connections: number;
  /** As the target saw it; `null` when the target has no sidecar to say so. */
  readonly mtls: boolean | null;
};

export type Reading = ReadonlyMap<string, Sample>;

/** The metrics that edges are made of. */
export const edgeMetrics: ReadonlySet<string> = new Set([
  'istio_requests_total',
  'istio_request_duration_milliseconds_bucket',
  'istio_tcp_connections_opened_total',
]);

type Tally = {
  readonly source: string;
  readonly target: string;
  requests: number;
  failed: number;
  denied: number;
  connections: number;
  readonly buckets: Map<number, number>;
  mutual: number;
  plain: number;
};

type Tallies = Map<string, Tally>;

/**
 * The traffic between two readings, sorted by source and target. The caller's word counts; where no caller has a say
 * (it has no sidecar, or is on another node), the target's.
 */
export function edges(before: Reading, after: Reading, seconds: number): Edge[] {
  const bySource: Tallies = new Map();
  const byTarget: Tallies = new Map();
  for (const [key, { series, value }] of after) {
    const change = increase(before.get(key)?.value, value);
    if (change <= 0) continue;
    add(series.labels.reporter === 'source' ? bySource : byTarget, series, change);
  }
  const keys = new Set([...bySource.keys(), ...byTarget.keys()]);
  return [...keys]
    .flatMap((key) => {
      const witness = byTarget.get(key);
      const tally = bySource.get(key) ?? witness;
      return tally ? [edgeOf(tally, witness, seconds)] : [];
    })
    .sort((a, b) => compareStrings(a.source, b.source) || compareStrings(a.target, b.target));
}

/** A counter that went down began again at zero, with its proxy. */
function increase(before: number | undefined, after: number): number {
  return before === undefined || after < before ? after : after - before;
}

function add(tallies: Tallies, { name, labels }: Series, change: number): void {
  const source = workloadName(labels, 'source');
  const target = workloadName(labels, 'destination');
  const key = `${source} ${target}`;
  let tally = tallies.get(key);
  if (tally === undefined) {
    tally = {
      source,
      target,
      requests: 0,
      failed: 0,
      denied: 0,
      connections: 0,
      buckets: new Map(),
      mutual: 0,
      plain: 0,
    };
    tallies.set(key, tally);
  }
  if (name === 'istio_request_duration_milliseconds_bucket') {
    const bound = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le);
    tally.buckets.set(bound, (tally.buckets.get(bound) ?? 0) + change);
    return;
  }
  if (labels.connection_security_policy === 'mutual_tls') tally.mutual += change;
  if (labels.connection_security_policy === 'none') tally.plain += change;
  if (name === 'istio_tcp_connections_opened_total') {
    tally.connections += change;
  } else {
    tally.requests += change;
    if (hasFailed(labels)) tally.failed += change;
    if (isDenied(labels)) tally.denied += change;
  }
}

function hasFailed({ response_code = '', grpc_response_status = '0' }: Series['labels']): boolean {
  return response_code.startsWith('5') || grpc_response_status !== '0';
}

function isDenied({ response_code }: Series['labels']): boolean {
  return response_code === '401' || response_code === '403';
}

/** Requests that reached no endpoint have no workload at their end: then the service stands for it. */
function workloadName(labels: Series['labels'], side: 'source' | 'destination'): string {
  const workload = labels[`${side}_workload`];
  if (isKnown(workload)) return `${labels[`${side}_workload_namespace`]}/${workload}`;
  const service = labels.destination_service_name;
  if (side === 'source' || !isKnown(service)) return 'unknown';
  const namespace = labels.destination_service_namespace;
  return isKnown(namespace) ? `${namespace}/${service}` : service;
}

function isKnown(value: string | undefined): value is string {
  return value !== undefined && value !== '' && value !== '-' && value !== 'unknown';
}

function edgeOf(tally: Tally, witness: Tally | undefined, seconds: number): Edge {
  const { source, target, requests, failed, denied, connections, buckets } = tally;
  const seen = witness !== undefined && witness.mutual + witness.plain > 0;
  return {
    source,
    target,
    rps: requests > 0 ? requests / seconds : null,
    successRate: requests > 0 ? 1 - failed / requests : null,
    denied: requests > 0 ? denied / requests : null,
    p50Ms: quantile(0.5, buckets),
    p99Ms: quantile(0.99, buckets),
    connections,
    mtls: seen ? witness.plain === 0 : null,
  };
}

/** As Prometheus' `histogram_quantile`: evenly spread inside a bucket; beyond the last bound, that bound. */
export function quantile(q: number, buckets: ReadonlyMap<number, number>): number | null {
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  const total = sorted.at(-1)?.[1] ?? 0;
  if (total === 0) return null;
  const rank = q * total;
  let lower = 0;
  let below = 0;
  for (const [bound, count] of sorted) {
    if (bound === Number.POSITIVE_INFINITY) break;
    if (count >= rank)
      return count === below ? lower : lower + ((bound - lower) * (rank - below)) / (count - below);
    lower = bound;
    below = count;
  }
  return lower;
}
