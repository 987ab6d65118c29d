import { uniqueSorted } from '../base/sorted.ts';
import type { RetryPolicy } from '../model/traffic.ts';
import type { HTTPRetry } from '../sources/specs-istio.ts';
import { readDuration } from './duration.ts';
import { didYouMean, type Report, unsupported } from './problems.ts';

/** Envoy's retry conditions for HTTP and gRPC. */
const conditions: readonly string[] = [
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
];
/** Istio's `retryOn` when retries are asked for and nothing more is said; it repeats no status code. */
const istioDefault: readonly string[] = ['connect-failure', 'refused-stream', 'unavailable', 'cancelled'];

export function readRetries(retries: HTTPRetry, report: Report, field: string): RetryPolicy {
  const { attempts = 0, perTryTimeout, backoff, retryOn } = retries;
  const perTry = readDuration(perTryTimeout, { report, field: `${field}.perTryTimeout`, zero: true });
  const base = readDuration(backoff, { report, field: `${field}.backoff` });
  reportHints(retries, report, field);
  if (attempts > 100) {
    report.error('WEFT-1209', {
      field: `${field}.attempts`,
      message: `${attempts} attempts are more than 100; there is no retry`,
      fix: 'use a number from 0 to 100',
    });
  }
  const { on, statusCodes } = retryOn
    ? readRetryOn(retryOn, report, `${field}.retryOn`)
    : { on: istioDefault, statusCodes: [] };
  return {
    attempts: attempts < 0 || attempts > 100 ? 0 : attempts,
    on,
    statusCodes,
    ...(perTry ? { perTryTimeout: perTry } : {}),
    ...(base === undefined ? {} : { backoff: base }),
  };
}

type RetryOn = Pick<RetryPolicy, 'on' | 'statusCodes'>;

/** Names of conditions, and numbers, which are status codes. */
function readRetryOn(text: string, report: Report, field: string): RetryOn {
  const words = text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  const codes = words.filter((word) => /^[1-5]\d\d$/.test(word));
  const names = words.filter((word) => !codes.includes(word));
  for (const name of names.filter((word) => !conditions.includes(word))) {
    report.error('WEFT-1209', {
      field,
      message: `\`${name}\` is not a condition to retry on, so it was left out${didYouMean(name, conditions)}`,
      fix: `use status codes, or some of ${conditions.join(', ')}`,
    });
  }
  const known = names.filter((word) => conditions.includes(word));
  const on = uniqueSorted(codes.length > 0 ? [...known, 'retriable-status-codes'] : known);
  return { on, statusCodes: [...new Set(codes.map(Number))] };
}

function reportHints(
  { retryRemoteLocalities, retryIgnorePreviousHosts }: HTTPRetry,
  report: Report,
  field: string,
): void {
  if (retryRemoteLocalities) {
    report.warning(
      'WEFT-1101',
      unsupported(`${field}.retryRemoteLocalities`, { why: 'localities have no priorities' }),
    );
  }
  if (retryIgnorePreviousHosts === false) {
    report.warning(
      'WEFT-1101',
      unsupported(`${field}.retryIgnorePreviousHosts`, { why: 'a retry always prefers another endpoint' }),
    );
  }
}
