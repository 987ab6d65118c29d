import type { KubeObject, Labels } from './types.ts';

/** Istio's networking.istio.io/v1 and security.istio.io/v1, every field. Absent is absent: these CRDs have no defaults. */
export type VirtualServiceObject = KubeObject<VirtualServiceSpec>;
export type VirtualServiceSpec = {
  readonly hosts?: readonly string[];
  readonly gateways?: readonly string[];
  readonly exportTo?: readonly string[];
  readonly http?: readonly IstioHTTPRoute[];
  readonly tls?: readonly IstioTLSRoute[];
  readonly tcp?: readonly IstioTCPRoute[];
};
export type IstioHTTPRoute = {
  readonly name?: string;
  readonly match?: readonly HTTPMatchRequest[];
  readonly route?: readonly HTTPRouteDestination[];
  readonly redirect?: HTTPRedirect;
  readonly directResponse?: {
    readonly status: number;
    readonly body?: { readonly string?: string; readonly bytes?: string };
  };
  readonly delegate?: { readonly name?: string; readonly namespace?: string };
  readonly rewrite?: {
    readonly uri?: string;
    readonly authority?: string;
    readonly uriRegexRewrite?: { readonly match?: string; readonly rewrite?: string };
  };
  readonly timeout?: string;
  readonly retries?: HTTPRetry;
  readonly fault?: HTTPFaultInjection;
  readonly mirror?: IstioDestination;
  readonly mirrors?: readonly { readonly destination: IstioDestination; readonly percentage?: Percent }[];
  readonly mirrorPercent?: number;
  readonly mirror_percent?: number;
  readonly mirrorPercentage?: Percent;
  readonly corsPolicy?: CorsPolicy;
  readonly headers?: IstioHeaders;
};
/** 0 to 100. */
export type Percent = { readonly value?: number };
/** Exactly one of the three is set. */
export type IstioStringMatch = { readonly exact?: string; readonly prefix?: string; readonly regex?: string };
export type HTTPMatchRequest = {
  readonly name?: string;
  readonly uri?: IstioStringMatch;
  readonly ignoreUriCase?: boolean;
  readonly scheme?: IstioStringMatch;
  readonly method?: IstioStringMatch;
  readonly authority?: IstioStringMatch;
  /** An empty match means: present. */
  readonly headers?: Readonly<Record<string, IstioStringMatch>>;
  readonly withoutHeaders?: Readonly<Record<string, IstioStringMatch>>;
  readonly queryParams?: Readonly<Record<string, IstioStringMatch>>;
  readonly port?: number;
  readonly sourceLabels?: Labels;
  readonly sourceNamespace?: string;
  readonly gateways?: readonly string[];
  readonly statPrefix?: string;
};
export type IstioDestination = {
  readonly host: string;
  readonly subset?: string;
  readonly port?: PortSelector;
};
export type PortSelector = { readonly number?: number };
export type HTTPRouteDestination = {
  readonly destination: IstioDestination;
  readonly weight?: number;
  readonly headers?: IstioHeaders;
};
export type IstioHeaders = {
  readonly request?: IstioHeaderOperations;
  readonly response?: IstioHeaderOperations;
};
export type IstioHeaderOperations = {
  readonly set?: Labels;
  readonly add?: Labels;
  readonly remove?: readonly string[];
};
export type HTTPRedirect = {
  readonly uri?: string;
  readonly prefixRewrite?: string;
  readonly authority?: string;
  readonly port?: number;
  readonly derivePort?: 'FROM_PROTOCOL_DEFAULT' | 'FROM_REQUEST_PORT';
  readonly scheme?: string;
  readonly redirectCode?: number;
};
export type HTTPRetry = {
  readonly attempts?: number;
  readonly perTryTimeout?: string;
  readonly backoff?: string;
  readonly retryOn?: string;
  readonly retryRemoteLocalities?: boolean;
  readonly retryIgnorePreviousHosts?: boolean;
};
export type HTTPFaultInjection = {
  readonly delay?: {
    readonly fixedDelay?: string;
    readonly exponentialDelay?: string;
    readonly percent?: number;
    readonly percentage?: Percent;
  };
  readonly abort?: {
    readonly httpStatus?: number;
    readonly grpcStatus?: string;
    readonly http2Error?: string;
    readonly percentage?: Percent;
  };
};
export type CorsPolicy = {
  readonly allowOrigin?: readonly string[];
  readonly allowOrigins?: readonly IstioStringMatch[];
  readonly allowMethods?: readonly string[];
  readonly allowHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly maxAge?: string;
  readonly allowCredentials?: boolean;
  readonly unmatchedPreflights?: 'UNSPECIFIED' | 'FORWARD' | 'IGNORE';
};
/** TCP and TLS routes. */
export type RouteDestination = { readonly destination: IstioDestination; readonly weight?: number };
export type L4Match = {
  readonly destinationSubnets?: readonly string[];
  readonly port?: number;
  readonly sourceLabels?: Labels;
  readonly sourceNamespace?: string;
  readonly gateways?: readonly string[];
};
export type IstioTLSRoute = {
  readonly match: readonly (L4Match & { readonly sniHosts: readonly string[] })[];
  readonly route?: readonly RouteDestination[];
};
export type IstioTCPRoute = {
  readonly match?: readonly (L4Match & { readonly sourceSubnet?: string })[];
  readonly route?: readonly RouteDestination[];
};

export type DestinationRuleObject = KubeObject<DestinationRuleSpec>;
export type DestinationRuleSpec = {
  readonly host: string;
  readonly trafficPolicy?: IstioTrafficPolicy;
  readonly subsets?: readonly Subset[];
  readonly exportTo?: readonly string[];
  readonly workloadSelector?: WorkloadSelector;
};
export type Subset = {
  readonly name: string;
  readonly labels?: Labels;
  readonly trafficPolicy?: IstioTrafficPolicy;
};
/** The blocks that a port can have of its own. */
export type PortTrafficPolicy = {
  readonly loadBalancer?: LoadBalancerSettings;
  readonly connectionPool?: ConnectionPoolSettings;
  readonly outlierDetection?: OutlierDetectionSettings;
  readonly tls?: ClientTLSSettings;
};
export type IstioTrafficPolicy = PortTrafficPolicy & {
  readonly portLevelSettings?: readonly (PortTrafficPolicy & { readonly port?: PortSelector })[];
  readonly tunnel?: {
    readonly protocol?: string;
    readonly targetHost: string;
    readonly targetPort: number;
  };
  readonly proxyProtocol?: { readonly version?: 'V1' | 'V2' };
  readonly retryBudget?: {
    readonly percent?: number;
    readonly minRetryConcurrency?: number;
    readonly budgetInterval?: string;
  };
};
export type LoadBalancerSettings = {
  readonly simple?: 'UNSPECIFIED' | 'LEAST_CONN' | 'RANDOM' | 'PASSTHROUGH' | 'ROUND_ROBIN' | 'LEAST_REQUEST';
  readonly consistentHash?: ConsistentHash;
  readonly localityLbSetting?: {
    readonly enabled?: boolean;
    readonly distribute?: readonly {
      readonly from?: string;
      readonly to?: Readonly<Record<string, number>>;
    }[];
    readonly failover?: readonly { readonly from?: string; readonly to?: string }[];
    readonly failoverPriority?: readonly string[];
  };
  readonly zoneAwareLbSetting?: {
    readonly enabled?: boolean;
    readonly failover?: readonly { readonly from?: string; readonly to?: string }[];
    readonly failoverPriority?: readonly string[];
    readonly minClusterSize?: number;
  };
  readonly warmup?: {
    readonly duration: string;
    readonly aggression?: number;
    readonly minimumPercent?: number;
  };
  readonly warmupDurationSecs?: string;
};
export type ConsistentHash = {
  readonly httpHeaderName?: string;
  readonly httpCookie?: {
    readonly name: string;
    readonly path?: string;
    readonly ttl?: string;
    readonly attributes?: readonly { readonly name: string; readonly value?: string }[];
  };
  readonly useSourceIp?: boolean;
  readonly httpQueryParameterName?: string;
  readonly ringHash?: { readonly minimumRingSize?: number };
  readonly maglev?: { readonly tableSize?: number };
  readonly minimumRingSize?: number;
};
export type ConnectionPoolSettings = {
  readonly tcp?: {
    readonly maxConnections?: number;
    readonly connectTimeout?: string;
    readonly tcpKeepalive?: {
      readonly probes?: number;
      readonly time?: string;
      readonly interval?: string;
    };
    readonly maxConnectionDuration?: string;
    readonly idleTimeout?: string;
  };
  readonly http?: {
    readonly http1MaxPendingRequests?: number;
    readonly http2MaxRequests?: number;
    readonly maxRequestsPerConnection?: number;
    readonly maxRetries?: number;
    readonly idleTimeout?: string;
    readonly h2UpgradePolicy?: 'DEFAULT' | 'DO_NOT_UPGRADE' | 'UPGRADE';
    readonly useClientProtocol?: boolean;
    readonly maxConcurrentStreams?: number;
    readonly http2KeepAlive?: { readonly interval?: string; readonly timeout?: string };
  };
};
export type OutlierDetectionSettings = {
  /** Deprecated; Istio maps it to `consecutiveGatewayErrors`. */
  readonly consecutiveErrors?: number;
  readonly consecutive5xxErrors?: number;
  readonly consecutiveGatewayErrors?: number;
  readonly consecutiveLocalOriginFailures?: number;
  readonly splitExternalLocalOriginErrors?: boolean;
  readonly outlierDetectionHttpErrorCodes?: readonly number[];
  readonly interval?: string;
  readonly baseEjectionTime?: string;
  readonly maxEjectionPercent?: number;
  readonly minHealthPercent?: number;
};
export type ClientTLSSettings = {
  readonly mode?: 'DISABLE' | 'SIMPLE' | 'MUTUAL' | 'ISTIO_MUTUAL';
  readonly clientCertificate?: string;
  readonly privateKey?: string;
  readonly caCertificates?: string;
  readonly caCrl?: string;
  readonly credentialName?: string;
  readonly subjectAltNames?: readonly string[];
  readonly sni?: string;
  readonly insecureSkipVerify?: boolean;
};

/** Absent selects the whole namespace; so do empty `matchLabels`. */
export type WorkloadSelector = { readonly matchLabels?: Labels };

export type PeerAuthenticationObject = KubeObject<PeerAuthenticationSpec>;
export type PeerAuthenticationSpec = {
  readonly selector?: WorkloadSelector;
  readonly mtls?: IstioMtls;
  /** By workload port, as a decimal string. */
  readonly portLevelMtls?: Readonly<Record<string, IstioMtls>>;
};
export type IstioMtls = { readonly mode?: 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT' };

export type AuthorizationPolicyObject = KubeObject<AuthorizationPolicySpec>;
export type AuthorizationPolicySpec = {
  readonly selector?: WorkloadSelector;
  readonly targetRef?: PolicyTargetReference;
  readonly targetRefs?: readonly PolicyTargetReference[];
  /** Absent means ALLOW. */
  readonly action?: 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM';
  readonly provider?: { readonly name?: string };
  /** Absent matches nothing; an empty rule matches everything. */
  readonly rules?: readonly AuthorizationRule[];
};
export type PolicyTargetReference = {
  readonly group?: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
};
export type AuthorizationRule = {
  readonly from?: readonly { readonly source?: AuthorizationSource }[];
  readonly to?: readonly { readonly operation?: AuthorizationOperation }[];
  readonly when?: readonly AuthorizationCondition[];
};
export type AuthorizationSource = {
  readonly principals?: readonly string[];
  readonly notPrincipals?: readonly string[];
  readonly requestPrincipals?: readonly string[];
  readonly notRequestPrincipals?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly notNamespaces?: readonly string[];
  readonly serviceAccounts?: readonly string[];
  readonly notServiceAccounts?: readonly string[];
  readonly trustDomains?: readonly string[];
  readonly notTrustDomains?: readonly string[];
  readonly ipBlocks?: readonly string[];
  readonly notIpBlocks?: readonly string[];
  readonly remoteIpBlocks?: readonly string[];
  readonly notRemoteIpBlocks?: readonly string[];
};
export type AuthorizationOperation = {
  readonly hosts?: readonly string[];
  readonly notHosts?: readonly string[];
  readonly methods?: readonly string[];
  readonly notMethods?: readonly string[];
  readonly paths?: readonly string[];
  readonly notPaths?: readonly string[];
  readonly ports?: readonly string[];
  readonly notPorts?: readonly string[];
};
export type AuthorizationCondition = {
  readonly key: string;
  readonly values?: readonly string[];
  readonly notValues?: readonly string[];
};
