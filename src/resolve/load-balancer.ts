import type { HashOn, LoadBalancer } from '../model/traffic.ts';
import type { ConsistentHash, LoadBalancerSettings } from '../sources/specs-istio.ts';
import { readDuration } from './duration.ts';
import { type Report, unsupported } from './problems.ts';

const simple = {
  UNSPECIFIED: undefined,
  LEAST_CONN: 'least-request',
  LEAST_REQUEST: 'least-request',
  ROUND_ROBIN: 'round-robin',
  RANDOM: 'random',
  PASSTHROUGH: 'passthrough',
} as const;

/** Envoy's own limits. */
const maxRing = 8_388_608;
const maxTable = 5_000_011;
const decade = 10 * 365 * 24 * 3_600_000;

export function readLoadBalancer(
  settings: LoadBalancerSettings | undefined,
  report: Report,
  field: string,
): LoadBalancer | undefined {
  if (!settings) return undefined;
  const hints = {
    localityLbSetting: settings.localityLbSetting?.enabled === false ? undefined : settings.localityLbSetting,
    zoneAwareLbSetting:
      settings.zoneAwareLbSetting?.enabled === false ? undefined : settings.zoneAwareLbSetting,
    warmup: settings.warmup,
    warmupDurationSecs: settings.warmupDurationSecs,
  };
  for (const [name, value] of Object.entries(hints)) {
    if (value !== undefined)
      report.warning('WEFT-1101', unsupported(`${field}.${name}`, { why: 'all endpoints are equal' }));
  }
  if (settings.consistentHash) return readHash(settings.consistentHash, report, `${field}.consistentHash`);
  const kind = simple[settings.simple ?? 'UNSPECIFIED'];
  return kind && { kind };
}

function readHash(hash: ConsistentHash, report: Report, field: string): LoadBalancer | undefined {
  const on = readHashOn(hash, report, field);
  if (!on) {
    report.error('WEFT-1209', {
      field,
      message: 'it does not say what to hash; requests are balanced as by default',
      fix: 'set one of httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName',
    });
    return undefined;
  }
  const size = readSize(hash, report, field);
  return {
    kind: 'consistent-hash',
    on,
    algorithm: hash.maglev ? 'maglev' : 'ring-hash',
    ...(size ? { size } : {}),
  };
}

function readHashOn(hash: ConsistentHash, report: Report, field: string): HashOn | undefined {
  const { httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName } = hash;
  if (httpHeaderName) return { kind: 'header', name: httpHeaderName.toLowerCase() };
  if (httpQueryParameterName) return { kind: 'query', name: httpQueryParameterName };
  if (useSourceIp) return { kind: 'source-ip' };
  if (!httpCookie) return undefined;
  const at = `${field}.httpCookie`;
  const ttl = readDuration(httpCookie.ttl, { report, field: `${at}.ttl`, zero: true, max: decade });
  if (httpCookie.attributes) report.warning('WEFT-1101', unsupported(`${at}.attributes`));
  return {
    kind: 'cookie',
    name: httpCookie.name,
    ...(httpCookie.path ? { path: httpCookie.path } : {}),
    ...(ttl === undefined ? {} : { ttl }),
  };
}

function readSize(
  { ringHash, maglev, minimumRingSize }: ConsistentHash,
  report: Report,
  field: string,
): number | undefined {
  if (maglev?.tableSize) {
    const { tableSize } = maglev;
    if (tableSize <= maxTable && isPrime(tableSize)) return tableSize;
    report.error('WEFT-1209', {
      field: `${field}.maglev.tableSize`,
      message: `${tableSize} is not a prime number up to ${maxTable}; the default size is used`,
      fix: 'use a prime number such as 65537',
    });
    return undefined;
  }
  const size = ringHash?.minimumRingSize || minimumRingSize;
  if (!size || (size > 0 && size <= maxRing)) return size || undefined;
  report.error('WEFT-1209', {
    field: `${field}.ringHash.minimumRingSize`,
    message: `${size} is out of range; the default size is used`,
    fix: `use a number from 1 to ${maxRing}`,
  });
  return undefined;
}

function isPrime(n: number): boolean {
  if (n < 2 || !Number.isInteger(n)) return false;
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
}
