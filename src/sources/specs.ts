import type { HTTPRouteObject } from './specs-gateway.ts';
import type {
  AuthorizationPolicyObject,
  DestinationRuleObject,
  PeerAuthenticationObject,
  VirtualServiceObject,
} from './specs-istio.ts';
import type { Kind, KubeObject, Labels } from './types.ts';

/**
 * The specs of the kinds the mesh reads, as they are after validation: defaults filled in, `null` gone.
 * Istio's kinds are whole, so that `resolve` can name what it does not support; core kinds hold what the mesh reads.
 * Durations are strings (`1.5s`), as written.
 */
export type ObjectsByKind = AllKinds<{
  readonly Namespace: NamespaceObject;
  readonly ServiceAccount: ServiceAccountObject;
  readonly Service: ServiceObject;
  readonly Pod: PodObject;
  readonly Deployment: DeploymentObject;
  readonly EndpointSlice: EndpointSliceObject;
  readonly HTTPRoute: HTTPRouteObject;
  readonly VirtualService: VirtualServiceObject;
  readonly DestinationRule: DestinationRuleObject;
  readonly PeerAuthentication: PeerAuthenticationObject;
  readonly AuthorizationPolicy: AuthorizationPolicyObject;
}>;
/** Does not compile when a kind is missing. */
type AllKinds<T extends Readonly<Record<Kind, KubeObject>>> = T;

export type LabelSelector = {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
};

export type NamespaceObject = KubeObject<Readonly<Record<string, unknown>>>;
/** Its fields stand in `rest`; the mesh reads none of them. */
export type ServiceAccountObject = KubeObject<Readonly<Record<string, never>>>;

export type ServiceObject = KubeObject<ServiceSpec>;
export type ServiceSpec = {
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  readonly ports?: readonly ServicePortSpec[];
  readonly selector?: Labels;
  /** `None` for a headless Service; absent only for ExternalName. */
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly externalName?: string;
  readonly externalIPs?: readonly string[];
  readonly publishNotReadyAddresses?: boolean;
  readonly sessionAffinity?: string;
  readonly internalTrafficPolicy?: string;
  readonly trafficDistribution?: string;
};
export type ServicePortSpec = {
  readonly name?: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly port: number;
  /** A number, or the name of a container port. */
  readonly targetPort: number | string;
  readonly nodePort?: number;
  readonly appProtocol?: string;
};

export type PodObject = KubeObject<PodSpec, PodStatus>;
export type PodSpec = {
  readonly serviceAccountName?: string;
  readonly nodeName?: string;
  readonly hostNetwork?: boolean;
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly terminationGracePeriodSeconds?: number;
};
export type Container = {
  readonly name: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: string;
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[];
  readonly ports?: readonly ContainerPort[];
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly startupProbe?: Probe;
};
export type ContainerPort = {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
};
export type Probe = {
  readonly httpGet?: {
    readonly path?: string;
    readonly port: number | string;
    readonly host?: string;
    readonly scheme?: string;
    readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[];
  };
  readonly tcpSocket?: { readonly port: number | string; readonly host?: string };
  readonly grpc?: { readonly port: number; readonly service?: string };
  readonly exec?: { readonly command?: readonly string[] };
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly successThreshold?: number;
  readonly failureThreshold?: number;
};
export type PodStatus = {
  readonly phase?: string;
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip: string }[];
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  readonly containerStatuses?: readonly ContainerStatus[];
};
export type ContainerStatus = {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
};

export type DeploymentObject = KubeObject<DeploymentSpec>;
export type DeploymentSpec = {
  readonly replicas: number;
  readonly selector: LabelSelector;
  readonly template: PodTemplate;
};
export type PodTemplate = {
  readonly metadata?: { readonly labels?: Labels; readonly annotations?: Labels };
  readonly spec?: PodSpec;
};

/** Its fields stand at the top: read them from `rest`. */
export type EndpointSliceObject = KubeObject<Readonly<Record<string, never>>> & {
  readonly rest: EndpointSliceFields;
};
export type EndpointSliceFields = {
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  readonly endpoints?: readonly SliceEndpoint[];
  readonly ports?: readonly SlicePort[];
};
export type SliceEndpoint = {
  readonly addresses: readonly string[];
  readonly conditions?: {
    /** Absent means true. */
    readonly ready?: boolean;
    readonly serving?: boolean;
    readonly terminating?: boolean;
  };
  readonly targetRef?: { readonly kind?: string; readonly namespace?: string; readonly name?: string };
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly zone?: string;
};
export type SlicePort = {
  /** Absent and `''` both mean the unnamed port. */
  readonly name?: string;
  readonly port?: number;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly appProtocol?: string;
};
