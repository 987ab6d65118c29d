import type { RetryPolicySchema } from '../../gen/envoy/config/route/v3/route_components_pb.ts';
import { PreviousHostsPredicateSchema } from '../../gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts';
import type { RetryPolicy } from '../model/traffic.ts';
import { any } from './envoy/any.ts';
import { duration } from './envoy/duration.ts';
import type { Init } from './envoy/init.ts';

type RetryInit = Init<typeof RetryPolicySchema>;

/** Re-picks of a host that has been tried; more would cost time and find no one. */
const hostSelectionAttempts = 5n;

const otherHosts: RetryInit = {
  retryHostPredicate: [
    {
      name: 'envoy.retry_host_predicates.previous_hosts',
      configType: { case: 'typedConfig', value: any(PreviousHostsPredicateSchema, {}) },
    },
  ],
  hostSelectionRetryMaxAttempts: hostSelectionAttempts,
};

/**
 * `undefined` when nothing is retried and no try has a limit of its own. With a consistent hash the same host is tried
 * again: going elsewhere would break what the user asked the hash for.
 */
export function retryPolicy(retry: RetryPolicy, keepHost: boolean): RetryInit | undefined {
  const perTry = retry.perTryTimeout ?? 0;
  if (retry.attempts <= 0 && perTry <= 0) return undefined;
  return {
    numRetries: Math.max(0, retry.attempts),
    retryOn: retryOn(retry).join(','),
    retriableStatusCodes: [...retry.statusCodes],
    ...(perTry > 0 && { perTryTimeout: duration(perTry) }),
    ...(retry.attempts > 0 && !keepHost && otherHosts),
    ...backOff(retry),
  };
}

/**
 * Envoy tries again after a try's own timeout only under `reset`, so a user's own retry with such a timeout gets it.
 * Not so a policy with `reset-before-request`, which says that nothing is to be sent twice.
 */
function retryOn({ attempts, on, statusCodes, perTryTimeout }: RetryPolicy): readonly string[] {
  if (attempts <= 0) return [];
  const conditions = new Set(on);
  if (statusCodes.length > 0) conditions.add('retriable-status-codes');
  if ((perTryTimeout ?? 0) > 0 && !conditions.has('reset-before-request')) conditions.add('reset');
  return [...conditions];
}

/** Envoy wants at least a millisecond, and its own maximum is ten times the base. */
function backOff({ attempts, backoff }: RetryPolicy): RetryInit {
  if (attempts <= 0 || backoff === undefined) return {};
  return { retryBackOff: { baseInterval: duration(Math.max(1, backoff)) } };
}
