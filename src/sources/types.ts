import type { ObjectRef } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';

export type Labels = Readonly<Record<string, string>>;

/** Kubernetes object metadata, reduced to what the mesh reads. `namespace` is `''` for cluster-scoped objects. */
export type ObjectMeta = {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  /** RFC 3339 in UTC, to the second; `''` when unknown, which counts as the youngest. */
  readonly creationTimestamp: string;
  /** Counts accepted changes of the spec; starts at 1. */
  readonly generation: number;
  readonly uid: string;
  readonly ownerReferences: readonly {
    readonly kind: string;
    readonly name: string;
    readonly controller: boolean;
  }[];
};

/** An object that passed its kind's schema, defaults filled in. Immutable. */
export type KubeObject<Spec = unknown, Status = unknown> = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec: Spec;
  readonly status?: Status;
  /** Top-level fields of kinds that have no spec (EndpointSlice: `addressType`, `endpoints`, `ports`). */
  readonly rest: Readonly<Record<string, unknown>>;
};

export type SourceEvent =
  | { readonly kind: 'applied'; readonly object: KubeObject }
  | { readonly kind: 'deleted'; readonly ref: ObjectRef }
  /** All problems that the source itself has found so far (files, schemas), replacing those said before. */
  | { readonly kind: 'problems'; readonly problems: readonly LocatedProblem[] }
  /** Everything that was there at the start has been said. Comes once; again after a relist. */
  | { readonly kind: 'synced' };

/** Where a user can put the cursor. Lines and columns start at 1. */
export type Location = { readonly file: string; readonly line: number; readonly column: number };
export type LocatedProblem = Problem & { readonly location?: Location };

/** A place that objects come from: a directory of YAML, or a Kubernetes API server. */
export type Source = {
  /** Batches in order; each batch is one moment (all changed files of one save). Ends when the signal aborts. */
  readonly events: (signal: AbortSignal) => AsyncIterable<readonly SourceEvent[]>;
  /** Where a field of an object stands, as well as the source knows: the field, else its nearest parent, else the object. */
  readonly locate: (ref: ObjectRef, field: string) => Location | undefined;
};

/** The kinds the mesh reads, with their scope. A new kind starts here and in `resolve`. */
export const kinds = {
  Namespace: { group: '', version: 'v1', namespaced: false },
  ServiceAccount: { group: '', version: 'v1', namespaced: true },
  Service: { group: '', version: 'v1', namespaced: true },
  Pod: { group: '', version: 'v1', namespaced: true },
  Deployment: { group: 'apps', version: 'v1', namespaced: true },
  EndpointSlice: { group: 'discovery.k8s.io', version: 'v1', namespaced: true },
  HTTPRoute: { group: 'gateway.networking.k8s.io', version: 'v1', namespaced: true },
  VirtualService: { group: 'networking.istio.io', version: 'v1', namespaced: true },
  DestinationRule: { group: 'networking.istio.io', version: 'v1', namespaced: true },
  PeerAuthentication: { group: 'security.istio.io', version: 'v1', namespaced: true },
  AuthorizationPolicy: { group: 'security.istio.io', version: 'v1', namespaced: true },
} as const;

export type Kind = keyof typeof kinds;

/** Labels and annotations with a meaning to the mesh. */
export const wellKnown = {
  /** On a pod template: the command line that `weft up` runs as each of its pods. */
  run: 'weft.dev/run',
  /** On a pod: `"false"` keeps the sidecar away. */
  inject: 'sidecar.istio.io/inject',
  /** On a pod, set by injection: a sidecar stands beside it. */
  tlsMode: 'security.istio.io/tlsMode',
  /** On an EndpointSlice: its Service. */
  serviceName: 'kubernetes.io/service-name',
} as const;
