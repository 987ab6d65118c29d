import type { KubeObject } from './types.ts';

/** Gateway API v1, every field of the standard and experimental channels; defaults are filled in. */
export type HTTPRouteObject = KubeObject<HTTPRouteSpec>;
export type HTTPRouteSpec = {
  readonly parentRefs?: readonly ParentReference[];
  readonly hostnames?: readonly string[];
  readonly rules: readonly HTTPRouteRule[];
  readonly useDefaultGateways?: 'All' | 'None';
};
export type ParentReference = {
  readonly group: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly sectionName?: string;
  readonly port?: number;
};
export type HTTPRouteRule = {
  readonly name?: string;
  readonly matches: readonly HTTPRouteMatch[];
  readonly filters?: readonly HTTPRouteFilter[];
  readonly backendRefs?: readonly HTTPBackendRef[];
  readonly timeouts?: { readonly request?: string; readonly backendRequest?: string };
  readonly retry?: {
    readonly codes?: readonly number[];
    readonly attempts?: number;
    readonly backoff?: string;
  };
  readonly sessionPersistence?: {
    readonly sessionName?: string;
    readonly absoluteTimeout?: string;
    readonly type: 'Cookie' | 'Header';
    readonly cookieConfig?: { readonly lifetimeType: 'Permanent' | 'Session' };
  };
};
export type HTTPRouteMatch = {
  readonly path: { readonly type: 'Exact' | 'PathPrefix' | 'RegularExpression'; readonly value: string };
  readonly headers?: readonly HTTPNamedMatch[];
  readonly queryParams?: readonly HTTPNamedMatch[];
  readonly method?: string;
};
export type HTTPNamedMatch = {
  readonly type: 'Exact' | 'RegularExpression';
  readonly name: string;
  readonly value: string;
};
export type BackendObjectReference = {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
};
export type HTTPBackendRef = BackendObjectReference & {
  readonly weight: number;
  readonly filters?: readonly HTTPRouteFilter[];
};

/** `type` says which one of the other fields is set. */
export type HTTPRouteFilter = {
  readonly type:
    | 'RequestHeaderModifier'
    | 'ResponseHeaderModifier'
    | 'RequestMirror'
    | 'RequestRedirect'
    | 'URLRewrite'
    | 'ExtensionRef'
    | 'CORS'
    | 'ExternalAuth';
  readonly requestHeaderModifier?: HTTPHeaderFilter;
  readonly responseHeaderModifier?: HTTPHeaderFilter;
  readonly requestMirror?: {
    readonly backendRef: BackendObjectReference;
    readonly percent?: number;
    readonly fraction?: { readonly numerator: number; readonly denominator: number };
  };
  readonly requestRedirect?: {
    readonly scheme?: 'http' | 'https';
    readonly hostname?: string;
    readonly path?: HTTPPathModifier;
    readonly port?: number;
    readonly statusCode: 301 | 302 | 303 | 307 | 308;
  };
  readonly urlRewrite?: { readonly hostname?: string; readonly path?: HTTPPathModifier };
  readonly extensionRef?: { readonly group: string; readonly kind: string; readonly name: string };
  readonly cors?: {
    readonly allowOrigins?: readonly string[];
    readonly allowCredentials?: boolean;
    readonly allowMethods?: readonly string[];
    readonly allowHeaders?: readonly string[];
    readonly exposeHeaders?: readonly string[];
    readonly maxAge: number;
  };
  readonly externalAuth?: {
    readonly protocol: 'HTTP' | 'GRPC';
    readonly backendRef: BackendObjectReference;
    readonly grpc?: { readonly allowedHeaders?: readonly string[] };
    readonly http?: {
      readonly path?: string;
      readonly allowedHeaders?: readonly string[];
      readonly allowedResponseHeaders?: readonly string[];
    };
    readonly forwardBody?: { readonly maxSize?: number };
  };
};
export type HTTPHeaderFilter = {
  readonly set?: readonly HTTPHeader[];
  readonly add?: readonly HTTPHeader[];
  readonly remove?: readonly string[];
};
export type HTTPHeader = { readonly name: string; readonly value: string };
export type HTTPPathModifier = {
  readonly type: 'ReplaceFullPath' | 'ReplacePrefixMatch';
  readonly replaceFullPath?: string;
  readonly replacePrefixMatch?: string;
};
