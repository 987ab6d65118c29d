import type { ConnectionPool, OutlierDetection, TrafficPolicy } from '../model/traffic.ts';
import type {
  ClientTLSSettings,
  ConnectionPoolSettings,
  IstioTrafficPolicy,
  OutlierDetectionSettings,
  PortTrafficPolicy,
} from '../sources/specs-istio.ts';
import { readDuration, readInteger } from './duration.ts';
import { defined, positive } from './fields.ts';
import { readLoadBalancer } from './load-balancer.ts';
import { type Report, unsupported } from './problems.ts';

/** A policy with the ports that have one of their own. */
export type LayeredPolicy = {
  readonly blocks: TrafficPolicy;
  readonly ports: ReadonlyMap<number, TrafficPolicy>;
};

const noPolicy: TrafficPolicy = {};
const uint32 = 2 ** 32 - 1;
const int32 = 2 ** 31 - 1;
const year = 365 * 24 * 3_600_000;

/**
 * Istio's layers. A port's settings replace the rule's whole policy: blocks they lack fall back to the default, not
 * to the rule. A subset's blocks then override one by one, and a subset's port replaces everything again.
 */
export function policyFor(
  rule: LayeredPolicy | undefined,
  subset: LayeredPolicy | undefined,
  port: number,
): TrafficPolicy {
  const ofPort = subset?.ports.get(port);
  if (ofPort) return ofPort;
  const base = rule?.ports.get(port) ?? rule?.blocks ?? noPolicy;
  return subset ? { ...base, ...subset.blocks } : base;
}

export function readPolicy(
  policy: IstioTrafficPolicy | undefined,
  report: Report,
  field: string,
): LayeredPolicy | undefined {
  if (!policy) return undefined;
  const hints = { retryBudget: 'retries are limited by connectionPool.http.maxRetries' };
  const failures = { tunnel: 'connections are made directly', proxyProtocol: 'no PROXY header is sent' };
  for (const [name, why] of Object.entries(hints)) {
    if (Object.hasOwn(policy, name)) report.warning('WEFT-1101', unsupported(`${field}.${name}`, { why }));
  }
  for (const [name, why] of Object.entries(failures)) {
    if (Object.hasOwn(policy, name)) report.error('WEFT-1101', unsupported(`${field}.${name}`, { why }));
  }
  const ports = new Map<number, TrafficPolicy>();
  for (const [i, settings] of (policy.portLevelSettings ?? []).entries()) {
    const number = settings.port?.number;
    // Of two settings for one port the first counts, as in Istio.
    if (number === undefined || ports.has(number)) continue;
    ports.set(number, readBlocks(settings, report, `${field}.portLevelSettings[${i}]`));
  }
  return { blocks: readBlocks(policy, report, field), ports };
}

function readBlocks(policy: PortTrafficPolicy, report: Report, field: string): TrafficPolicy {
  const loadBalancer = readLoadBalancer(policy.loadBalancer, report, `${field}.loadBalancer`);
  const connectionPool = readPool(policy.connectionPool, report, `${field}.connectionPool`);
  const outlierDetection = readOutlier(policy.outlierDetection, report, `${field}.outlierDetection`);
  const tls = readTls(policy.tls, report, `${field}.tls`);
  return defined({ loadBalancer, connectionPool, outlierDetection, tls });
}

/** Unset is DISABLE: the word's zero value. What Weft cannot speak becomes mTLS: it may fail, but is never plaintext. */
function readTls(tls: ClientTLSSettings | undefined, report: Report, field: string): TrafficPolicy['tls'] {
  if (!tls) return undefined;
  const { mode = 'DISABLE' } = tls;
  if (mode === 'SIMPLE' || mode === 'MUTUAL') {
    report.error('WEFT-1101', {
      field: `${field}.mode`,
      message: `TLS mode ${mode} is not supported yet; connections use the mesh's own mTLS, and fail where there is no sidecar`,
      fix: 'use ISTIO_MUTUAL or DISABLE, or remove `tls` for automatic mTLS',
    });
  }
  if (mode === 'ISTIO_MUTUAL') {
    for (const name of ['sni', 'subjectAltNames'] as const) {
      if (tls[name])
        report.warning('WEFT-1101', unsupported(`${field}.${name}`, { why: 'the mesh knows both itself' }));
    }
  }
  return mode === 'DISABLE' ? 'disable' : 'mutual';
}

function readPool(
  pool: ConnectionPoolSettings | undefined,
  report: Report,
  field: string,
): ConnectionPool | undefined {
  if (!pool) return undefined;
  const { tcp = {}, http = {} } = pool;
  const at = { tcp: `${field}.tcp`, http: `${field}.http` };
  const time = (text: string | undefined, place: string): number | undefined =>
    readDuration(text, { report, field: place, max: year, zero: true });
  const count = (value: number | undefined, place: string, max = uint32): number | undefined =>
    readInteger(value, { report, field: place, min: 0, max });
  if (http.useClientProtocol)
    report.warning('WEFT-1101', unsupported(`${at.http}.useClientProtocol`, { why: 'the port says which' }));
  if (http.http2KeepAlive)
    report.warning('WEFT-1101', unsupported(`${at.http}.http2KeepAlive`, { why: 'tcpKeepalive works' }));
  const keepalive = tcp.tcpKeepalive && {
    probes: count(tcp.tcpKeepalive.probes, `${at.tcp}.tcpKeepalive.probes`),
    time: time(tcp.tcpKeepalive.time, `${at.tcp}.tcpKeepalive.time`),
    interval: time(tcp.tcpKeepalive.interval, `${at.tcp}.tcpKeepalive.interval`),
  };
  const upgrade = { DEFAULT: undefined, UPGRADE: true, DO_NOT_UPGRADE: false }[
    http.h2UpgradePolicy ?? 'DEFAULT'
  ];
  return positive({
    maxConnections: count(tcp.maxConnections, `${at.tcp}.maxConnections`),
    connectTimeout: time(tcp.connectTimeout, `${at.tcp}.connectTimeout`),
    idleTimeout:
      time(http.idleTimeout, `${at.http}.idleTimeout`) ?? time(tcp.idleTimeout, `${at.tcp}.idleTimeout`),
    maxConnectionDuration: time(tcp.maxConnectionDuration, `${at.tcp}.maxConnectionDuration`),
    maxPendingRequests: count(http.http1MaxPendingRequests, `${at.http}.http1MaxPendingRequests`),
    maxRequests: count(http.http2MaxRequests, `${at.http}.http2MaxRequests`),
    maxRequestsPerConnection: count(http.maxRequestsPerConnection, `${at.http}.maxRequestsPerConnection`),
    maxRetries: count(http.maxRetries, `${at.http}.maxRetries`),
    maxConcurrentStreams: count(http.maxConcurrentStreams, `${at.http}.maxConcurrentStreams`, int32),
    tcpKeepalive: keepalive && positive(keepalive),
    upgradeToHttp2: upgrade,
  });
}

/** Zero has a meaning here: it turns a detector off. */
function readOutlier(
  outlier: OutlierDetectionSettings | undefined,
  report: Report,
  field: string,
): OutlierDetection | undefined {
  if (!outlier) return undefined;
  for (const name of ['consecutiveErrors', 'outlierDetectionHttpErrorCodes'] as const) {
    if (outlier[name] === undefined) continue;
    const why = 'consecutive5xxErrors and consecutiveGatewayErrors work';
    report.warning('WEFT-1101', unsupported(`${field}.${name}`, { why }));
  }
  const count = (name: CountName, max = uint32): number | undefined =>
    readInteger(outlier[name], { report, field: `${field}.${name}`, min: 0, max });
  const time = (name: 'interval' | 'baseEjectionTime'): number | undefined =>
    readDuration(outlier[name], { report, field: `${field}.${name}` });
  return defined({
    consecutive5xx: count('consecutive5xxErrors'),
    consecutiveGatewayErrors: count('consecutiveGatewayErrors'),
    consecutiveLocalOriginFailures: count('consecutiveLocalOriginFailures'),
    splitExternalLocalOriginErrors: outlier.splitExternalLocalOriginErrors,
    interval: time('interval'),
    baseEjectionTime: time('baseEjectionTime'),
    maxEjectionPercent: count('maxEjectionPercent', 100),
    minHealthPercent: count('minHealthPercent', 100),
  });
}

type CountName =
  | 'consecutive5xxErrors'
  | 'consecutiveGatewayErrors'
  | 'consecutiveLocalOriginFailures'
  | 'maxEjectionPercent'
  | 'minHealthPercent';
