import type { CircuitBreakersSchema } from '../../gen/envoy/config/cluster/v3/circuit_breaker_pb.ts';
import { Cluster_LbPolicy, type ClusterSchema } from '../../gen/envoy/config/cluster/v3/cluster_pb.ts';
import type { OutlierDetectionSchema } from '../../gen/envoy/config/cluster/v3/outlier_detection_pb.ts';
import type { ConnectionPool, LoadBalancer, OutlierDetection } from '../model/traffic.ts';
import { duration } from './envoy/duration.ts';
import type { Init } from './envoy/init.ts';

type ClusterPart = Init<typeof ClusterSchema>;

/** Two random picks, the less busy one wins: close to the best there is without any state shared between proxies. */
export function loadBalancing(balancer: LoadBalancer = { kind: 'least-request' }): ClusterPart {
  switch (balancer.kind) {
    case 'least-request':
      return { lbPolicy: Cluster_LbPolicy.LEAST_REQUEST };
    case 'round-robin':
      return { lbPolicy: Cluster_LbPolicy.ROUND_ROBIN };
    case 'random':
      return { lbPolicy: Cluster_LbPolicy.RANDOM };
    case 'passthrough':
      return { lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED };
    case 'consistent-hash':
      return balancer.algorithm === 'maglev' ? maglev(balancer.size) : ringHash(balancer.size);
  }
}

function ringHash(size = 1024): ClusterPart {
  return {
    lbPolicy: Cluster_LbPolicy.RING_HASH,
    lbConfig: { case: 'ringHashLbConfig', value: { minimumRingSize: BigInt(size) } },
  };
}

function maglev(size = 65_537): ClusterPart {
  return {
    lbPolicy: Cluster_LbPolicy.MAGLEV,
    lbConfig: { case: 'maglevLbConfig', value: { tableSize: BigInt(size) } },
  };
}

const unlimited = 0xffff_ffff;

/**
 * No limit unless the user sets one: Envoy's own 1024 turns a busy minute into 503s that nobody asked for. Retries are
 * the exception: a budget, so that they never multiply an outage; its floor lets a fully loaded client survive the
 * loss of one server.
 */
export function circuitBreakers(pool: ConnectionPool = {}): Init<typeof CircuitBreakersSchema> {
  return {
    thresholds: [
      {
        maxConnections: pool.maxConnections ?? unlimited,
        maxPendingRequests: pool.maxPendingRequests ?? unlimited,
        maxRequests: pool.maxRequests ?? unlimited,
        maxRetries: pool.maxRetries ?? unlimited,
        ...(pool.maxRetries === undefined && {
          retryBudget: { budgetPercent: { value: 20 }, minRetryConcurrency: 50 },
        }),
      },
    ],
  };
}

type OutlierInit = Init<typeof OutlierDetectionSchema>;

/** Envoy enforces these unless told not to. */
const onlyWhatIsAsked: OutlierInit = {
  enforcingConsecutive5xx: 0,
  enforcingConsecutiveGatewayFailure: 0,
  enforcingSuccessRate: 0,
  enforcingLocalOriginSuccessRate: 0,
};

/**
 * Passive, and only on failures to connect: an answer, even a 500, says that the server is there. 67 % lets two of three
 * go and never the last one.
 */
export const defaultOutlierDetection: OutlierInit = {
  ...onlyWhatIsAsked,
  splitExternalLocalOriginErrors: true,
  consecutiveLocalOriginFailure: 5,
  interval: duration(1000),
  baseEjectionTime: duration(5000),
  maxEjectionPercent: 67,
};

/** The user's own replaces ours whole; what it leaves out has Istio's defaults. */
export function outlierDetection(own: OutlierDetection | undefined): OutlierInit {
  if (own === undefined) return defaultOutlierDetection;
  const consecutive5xx = own.consecutive5xx ?? 5;
  const gatewayErrors = own.consecutiveGatewayErrors ?? 0;
  return {
    ...onlyWhatIsAsked,
    // 0 means "never" to the user; Envoy wants a positive number that it does not enforce.
    ...(consecutive5xx > 0 && { consecutive5xx, enforcingConsecutive5xx: 100 }),
    ...(gatewayErrors > 0 && {
      consecutiveGatewayFailure: gatewayErrors,
      enforcingConsecutiveGatewayFailure: 100,
    }),
    splitExternalLocalOriginErrors: own.splitExternalLocalOriginErrors ?? false,
    ...(own.splitExternalLocalOriginErrors === true && localOrigin(own.consecutiveLocalOriginFailures ?? 5)),
    ...(own.interval !== undefined && { interval: duration(own.interval) }),
    ...(own.baseEjectionTime !== undefined && { baseEjectionTime: duration(own.baseEjectionTime) }),
    maxEjectionPercent: own.maxEjectionPercent ?? 10,
  };
}

function localOrigin(failures: number): OutlierInit {
  return failures > 0
    ? { consecutiveLocalOriginFailure: failures }
    : { enforcingConsecutiveLocalOriginFailure: 0 };
}
