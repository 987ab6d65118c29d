import type { ServiceKey } from './names.ts';
import type { ObjectRef, Origin } from './object-ref.ts';
import type { Service, ServicePort } from './service.ts';

/** Milliseconds. */
export type Duration = number;

/** What one client namespace sees of the mesh. Namespaces without rules of their own share the same service views by reference. */
export type ClientView = { readonly namespace: string; readonly services: readonly ServiceView[] };

/** One Service as seen by one client namespace: its listeners' routes and the clusters its destinations need. */
export type ServiceView = { readonly service: Service; readonly ports: readonly ServicePortView[] };

export type ServicePortView = {
  readonly port: ServicePort;
  readonly routes: HttpRoutes | TcpRoutes;
  /** The cluster without a subset first, then one for each subset, by name. */
  readonly destinations: readonly Destination[];
};

/** Where a rule sends traffic: the key of one cluster. `subset` is `''` for all endpoints. */
export type DestinationKey = {
  readonly service: ServiceKey;
  readonly host: string;
  readonly port: number;
  readonly subset: string;
};

/** A cluster to be: an endpoint set and how to talk to it. The policy is already layered; absent means Weft's default. */
export type Destination = {
  readonly key: DestinationKey;
  /** Endpoints must carry these; `{}` for all. */
  readonly labels: Readonly<Record<string, string>>;
  readonly policy: TrafficPolicy;
  readonly origins: readonly ObjectRef[];
};

/** First match wins; a request that nothing matches gets 404. Already sorted. */
export type HttpRoutes = { readonly kind: 'http'; readonly rules: readonly HttpRule[] };
export type TcpRoutes = {
  readonly kind: 'tcp';
  readonly backends: readonly Backend[];
  readonly origins: readonly Origin[];
};

export type HttpRule = {
  /** Route name in access logs: the user's rule name, else `<namespace>.<object>.<index>`; `default` without a rule. */
  readonly name: string;
  readonly match: HttpMatch;
  readonly action: HttpAction;
  /** Header rules of the route, before those of a backend. */
  readonly requestHeaders: HeaderMutation;
  readonly responseHeaders: HeaderMutation;
  /** Whole exchange including retries; 0 is none. */
  readonly timeout: Duration;
  readonly retry: RetryPolicy;
  readonly origin: Origin;
};

export type HttpAction =
  | { readonly kind: 'forward'; readonly backends: readonly Backend[]; readonly rewrite?: Rewrite }
  | { readonly kind: 'redirect'; readonly redirect: Redirect }
  | { readonly kind: 'respond'; readonly status: number; readonly body: string };

/** A share of the traffic. An invalid backend keeps its weight and answers 500, so that a typo never shifts traffic silently. */
export type Backend =
  | {
      readonly kind: 'destination';
      readonly destination: DestinationKey;
      readonly weight: number;
      readonly requestHeaders: HeaderMutation;
      readonly responseHeaders: HeaderMutation;
    }
  | { readonly kind: 'invalid'; readonly weight: number; readonly message: string };

export type HttpMatch = {
  readonly path: PathMatch;
  readonly method?: StringMatch;
  readonly authority?: StringMatch;
  readonly scheme?: StringMatch;
  /** All must hold. Names are lower case. */
  readonly headers: readonly NamedMatch[];
  readonly query: readonly NamedMatch[];
};

/** `prefix` is a raw string prefix (Istio's); `pathPrefix` goes by path elements (Gateway API's). `regex` is RE2, whole string. */
export type PathMatch = {
  readonly kind: 'exact' | 'prefix' | 'pathPrefix' | 'regex';
  readonly value: string;
  readonly ignoreCase: boolean;
};
export type StringMatch =
  | { readonly kind: 'exact' | 'prefix' | 'suffix' | 'regex'; readonly value: string }
  | { readonly kind: 'present' };
export type NamedMatch = { readonly name: string; readonly match: StringMatch; readonly invert: boolean };

/** Applied in this order: remove, set, add. Names lower case, values literal (no `%` expansion). */
export type HeaderMutation = {
  readonly set: readonly Header[];
  readonly add: readonly Header[];
  readonly remove: readonly string[];
};
export type Header = { readonly name: string; readonly value: string };
export const noHeaders: HeaderMutation = { set: [], add: [], remove: [] };

export type Rewrite = {
  readonly path?: { readonly kind: 'full' | 'prefix'; readonly value: string };
  readonly authority?: string;
};
export type Redirect = {
  readonly status: 301 | 302 | 303 | 307 | 308;
  readonly scheme?: string;
  readonly authority?: string;
  readonly port?: number;
  readonly path?: { readonly kind: 'full' | 'prefix'; readonly value: string };
};

/** `attempts` is extra tries beyond the first; 0 is no retry. `on` are Envoy's own retry policy names. */
export type RetryPolicy = {
  readonly attempts: number;
  readonly on: readonly string[];
  readonly statusCodes: readonly number[];
  readonly perTryTimeout?: Duration;
  /** Base of the jittered back-off. */
  readonly backoff?: Duration;
};
/** What survives by default: only what never reached the app is tried again, on another host. */
export const defaultRetry: RetryPolicy = {
  attempts: 2,
  on: ['connect-failure', 'refused-stream', 'reset-before-request'],
  statusCodes: [],
};

/** The blocks of a DestinationRule's trafficPolicy, layered. An absent block means Weft's default. */
export type TrafficPolicy = {
  readonly loadBalancer?: LoadBalancer;
  readonly connectionPool?: ConnectionPool;
  readonly outlierDetection?: OutlierDetection;
  /** `auto`: mTLS to every endpoint that has a sidecar, plaintext to the others. */
  readonly tls?: 'auto' | 'disable' | 'mutual';
};
export type LoadBalancer =
  | { readonly kind: 'least-request' | 'round-robin' | 'random' | 'passthrough' }
  | {
      readonly kind: 'consistent-hash';
      readonly on: HashOn;
      readonly algorithm: 'ring-hash' | 'maglev';
      readonly size?: number;
    };
export type HashOn =
  | { readonly kind: 'header' | 'query'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string; readonly path?: string; readonly ttl?: Duration }
  | { readonly kind: 'source-ip' };
export type ConnectionPool = {
  readonly maxConnections?: number;
  readonly connectTimeout?: Duration;
  readonly idleTimeout?: Duration;
  readonly maxConnectionDuration?: Duration;
  readonly maxPendingRequests?: number;
  readonly maxRequests?: number;
  readonly maxRequestsPerConnection?: number;
  readonly maxRetries?: number;
  readonly maxConcurrentStreams?: number;
  readonly tcpKeepalive?: {
    readonly probes?: number;
    readonly time?: Duration;
    readonly interval?: Duration;
  };
  readonly upgradeToHttp2?: boolean;
};
export type OutlierDetection = {
  readonly consecutive5xx?: number;
  readonly consecutiveGatewayErrors?: number;
  readonly consecutiveLocalOriginFailures?: number;
  readonly splitExternalLocalOriginErrors?: boolean;
  readonly interval?: Duration;
  readonly baseEjectionTime?: Duration;
  readonly maxEjectionPercent?: number;
  readonly minHealthPercent?: number;
};
