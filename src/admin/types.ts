/** What the admin socket answers. Versioned: fields are added, never renamed or given another meaning. */
import type { ObjectStatus } from '../model/condition.ts';
import type { ObjectRef } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';

export type AdminApiVersion = 'weft.dev/v1alpha1';

/** Times are RFC 3339. */
export type MeshStatus = {
  readonly apiVersion: AdminApiVersion;
  readonly kind: 'MeshStatus';
  readonly controlPlane: {
    readonly version: string;
    readonly startedAt: string;
    readonly trustDomain: string;
    readonly outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
    /** Where the objects come from; absolute. */
    readonly directory: string;
    /** Empty, or why the directory cannot be read now. */
    readonly directoryError: string;
    readonly certificateTtlSeconds: number;
    /** When the issuing CA's own certificate ends. */
    readonly issuerExpires: string;
  };
  readonly proxies: { readonly total: number; readonly connected: number; readonly inSync: number };
  readonly objects: {
    readonly total: number;
    readonly notAccepted: number;
    readonly unresolved: number;
    readonly notProgrammed: number;
  };
  readonly problems: { readonly errors: number; readonly warnings: number };
};

/** A Kubernetes object as the control plane holds it, defaults filled in. */
export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly generation: number;
    readonly [field: string]: unknown;
  };
  readonly status: ObjectStatus;
  readonly [field: string]: unknown;
};

export type ObjectEntry = {
  readonly object: Manifest;
  /** Absent for objects that no file of the user's defines. */
  readonly location?: FileLocation;
  readonly applied: { readonly acked: number; readonly total: number };
};
/** Lines and columns start at 1; `file` is relative to the mesh directory. */
export type FileLocation = { readonly file: string; readonly line: number; readonly column: number };

export type ObjectList = {
  readonly apiVersion: AdminApiVersion;
  readonly kind: 'ObjectList';
  /** Sorted by kind, namespace, name. */
  readonly items: readonly ObjectEntry[];
};

/** Absent fields match everything. */
export type ObjectQuery = { readonly kind?: string; readonly namespace?: string; readonly name?: string };

export type ProxyEntry = {
  /** `<namespace>/<pod>` */
  readonly workload: string;
  readonly connected: boolean;
  readonly inSync: boolean;
  /** When `inSync` last became what it is. */
  readonly since: string;
  readonly wanted: number;
  readonly pending: number;
  readonly rejected: readonly { readonly type: string; readonly name: string; readonly message: string }[];
  /** `''` until the proxy has said it. */
  readonly envoyVersion: string;
  /** Of its newest certificate; absent before the first. */
  readonly certificateExpires?: string;
};

export type ProxyList = {
  readonly apiVersion: AdminApiVersion;
  readonly kind: 'ProxyList';
  /** Sorted by workload. */
  readonly items: readonly ProxyEntry[];
};

export type ProblemEntry = Omit<Problem, 'ref'> & {
  readonly ref: ObjectRef;
  readonly location?: FileLocation;
};

export type ProblemList = {
  readonly apiVersion: AdminApiVersion;
  readonly kind: 'ProblemList';
  /** Errors first, then by file and line. */
  readonly items: readonly ProblemEntry[];
};

/** What would be said of objects if they were written now. */
export type Validation = {
  readonly apiVersion: AdminApiVersion;
  readonly kind: 'Validation';
  /** False when one of them would be refused, or answered with an error where it says more than is supported. */
  readonly accepted: boolean;
  /** Of these objects alone. */
  readonly problems: readonly ProblemEntry[];
};

export type AdminError = {
  readonly apiVersion: AdminApiVersion;
  readonly kind: 'Error';
  readonly code: 'NotFound' | 'MethodNotAllowed' | 'Internal';
  readonly message: string;
  readonly fix: string;
};
