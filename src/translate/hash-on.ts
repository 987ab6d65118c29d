import { stableJson } from '../base/sorted.ts';
import type { Destination, HashOn, HttpRule, ServicePortView, ServiceView } from '../model/traffic.ts';
import { type ClusterName, outboundCluster } from './names.ts';

/**
 * Envoy hashes a request where it is routed, but what to hash on is the destination's policy; and a rule may send to any
 * service that the client sees.
 */
export type HashedDestinations = ReadonlyMap<ClusterName, HashOn>;

export function hashedDestinations(services: readonly ServiceView[]): HashedDestinations {
  const destinations = services.flatMap((view) => view.ports.flatMap((port) => port.destinations));
  return new Map(destinations.flatMap(hashOnOf));
}

function hashOnOf({ key, policy }: Destination): readonly (readonly [ClusterName, HashOn])[] {
  const balancer = policy.loadBalancer;
  return balancer?.kind === 'consistent-hash' ? [[outboundCluster(key), balancer.on]] : [];
}

/** What a rule's destinations hash on, each way once. */
export function hashOnForRule(rule: HttpRule, hashed: HashedDestinations): readonly HashOn[] {
  if (hashed.size === 0 || rule.action.kind !== 'forward') return [];
  const ways = rule.action.backends.flatMap((backend) =>
    backend.kind === 'destination' ? (hashed.get(outboundCluster(backend.destination)) ?? []) : [],
  );
  return [...new Map(ways.map((way) => [stableJson(way), way])).values()];
}

/** Equal for equal hashing of all rules of a port; `''` when nothing hashes. */
export function hashingOfPort({ routes }: ServicePortView, hashed: HashedDestinations): string {
  if (hashed.size === 0 || routes.kind !== 'http') return '';
  const ways = routes.rules.map((rule) => hashOnForRule(rule, hashed));
  return ways.every((way) => way.length === 0) ? '' : stableJson(ways);
}
