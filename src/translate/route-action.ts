import {
  RouteAction_ClusterNotFoundResponseCode as ClusterNotFound,
  type DirectResponseActionSchema,
  type RedirectActionSchema,
  RedirectAction_RedirectResponseCode as RedirectCode,
  type RouteAction_HashPolicySchema,
  type RouteActionSchema,
  type RouteSchema,
  type WeightedCluster_ClusterWeightSchema,
} from '../../gen/envoy/config/route/v3/route_components_pb.ts';
import type { Backend, HashOn, HttpRule, PathMatch, Redirect } from '../model/traffic.ts';
import { duration } from './envoy/duration.ts';
import type { Init } from './envoy/init.ts';
import { hostSetBy, isEmptyMutation, requestMutation, responseMutation } from './header-mutation.ts';
import { outboundCluster, undefinedCluster } from './names.ts';
import { type PathRewrite, pathRewrite } from './path-rewrite.ts';
import { retryPolicy } from './retry.ts';

type RouteActionInit = Init<typeof RouteActionSchema>;
type Action = NonNullable<Init<typeof RouteSchema>['action']>;

export type ActionContext = {
  /** A missing backend answers "unavailable" to gRPC callers, and 500 to the others. */
  readonly grpc: boolean;
  /** What the destinations of the rule hash on; empty for other balancers. */
  readonly hashOn: readonly HashOn[];
};

export function routeAction(rule: HttpRule, context: ActionContext): Action {
  switch (rule.action.kind) {
    case 'forward':
      return forward(rule, rule.action, context);
    case 'redirect':
      return { case: 'redirect', value: redirectAction(rule.match.path, rule.action.redirect) };
    case 'respond':
      return { case: 'directResponse', value: directResponse(rule.action.status, rule.action.body) };
  }
}

export function directResponse(status: number, body: string): Init<typeof DirectResponseActionSchema> {
  return { status, ...(body !== '' && { body: { specifier: { case: 'inlineString', value: body } } }) };
}

type Forward = Extract<HttpRule['action'], { kind: 'forward' }>;

function forward(rule: HttpRule, action: Forward, { grpc, hashOn }: ActionContext): Action {
  const shares = action.backends.filter((backend) => backend.weight > 0);
  if (shares.length === 0) return { case: 'directResponse', value: directResponse(500, '') };
  const retry = retryPolicy(rule.retry, hashOn.length > 0);
  const authority = action.rewrite?.authority ?? hostSetBy(rule.requestHeaders);
  const value: RouteActionInit = {
    clusterSpecifier: clusterSpecifier(shares),
    ...(!grpc && { clusterNotFoundResponseCode: ClusterNotFound.INTERNAL_SERVER_ERROR }),
    // Always said: Envoy's own default of 15 s would surprise.
    timeout: duration(rule.timeout),
    ...(retry !== undefined && { retryPolicy: retry }),
    ...(authority !== undefined && {
      hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: authority },
    }),
    ...(action.rewrite?.path !== undefined &&
      rewriteFields(pathRewrite(rule.match.path, action.rewrite.path))),
    hashPolicy: hashOn.map(hashPolicy),
  };
  return { case: 'route', value };
}

function rewriteFields(rewrite: PathRewrite): RouteActionInit {
  return rewrite.kind === 'prefix' ? { prefixRewrite: rewrite.value } : { regexRewrite: rewrite.value };
}

function clusterSpecifier(shares: readonly Backend[]): NonNullable<RouteActionInit['clusterSpecifier']> {
  const [first] = shares;
  if (shares.length === 1 && first !== undefined && isPlain(first)) {
    return { case: 'cluster', value: clusterOf(first) };
  }
  return { case: 'weightedClusters', value: { clusters: shares.map(clusterWeight) } };
}

function isPlain(backend: Backend): boolean {
  return (
    backend.kind === 'invalid' ||
    (isEmptyMutation(backend.requestHeaders) && isEmptyMutation(backend.responseHeaders))
  );
}

function clusterOf(backend: Backend): string {
  return backend.kind === 'destination' ? outboundCluster(backend.destination) : undefinedCluster;
}

function clusterWeight(backend: Backend): Init<typeof WeightedCluster_ClusterWeightSchema> {
  const name = clusterOf(backend);
  if (backend.kind === 'invalid') return { name, weight: backend.weight };
  const authority = hostSetBy(backend.requestHeaders);
  return {
    name,
    weight: backend.weight,
    ...requestMutation(backend.requestHeaders),
    ...responseMutation(backend.responseHeaders),
    ...(authority !== undefined && {
      hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: authority },
    }),
  };
}

function hashPolicy(on: HashOn): Init<typeof RouteAction_HashPolicySchema> {
  switch (on.kind) {
    case 'header':
      return { policySpecifier: { case: 'header', value: { headerName: on.name } } };
    case 'query':
      return { policySpecifier: { case: 'queryParameter', value: { name: on.name } } };
    case 'source-ip':
      return { policySpecifier: { case: 'connectionProperties', value: { sourceIp: true } } };
    case 'cookie': {
      const cookie = {
        name: on.name,
        ...(on.path !== undefined && { path: on.path }),
        // With a lifetime Envoy makes the cookie; without, it only reads one.
        ...(on.ttl !== undefined && { ttl: duration(on.ttl) }),
      };
      return { policySpecifier: { case: 'cookie', value: cookie } };
    }
  }
}

const redirectCodes = {
  301: RedirectCode.MOVED_PERMANENTLY,
  302: RedirectCode.FOUND,
  303: RedirectCode.SEE_OTHER,
  307: RedirectCode.TEMPORARY_REDIRECT,
  308: RedirectCode.PERMANENT_REDIRECT,
} as const;

function redirectAction(match: PathMatch, redirect: Redirect): Init<typeof RedirectActionSchema> {
  const { scheme, authority, port, path, status } = redirect;
  // Envoy prints any port it is given, also the one that the scheme implies. Calls come to a sidecar as http.
  const implied = scheme === 'https' ? 443 : 80;
  return {
    responseCode: redirectCodes[status],
    ...(scheme !== undefined && { schemeRewriteSpecifier: { case: 'schemeRedirect', value: scheme } }),
    ...(authority !== undefined && { hostRedirect: authority }),
    ...(port !== undefined && port !== implied && { portRedirect: port }),
    ...(path !== undefined && { pathRewriteSpecifier: redirectPath(match, path) }),
  };
}

function redirectPath(
  match: PathMatch,
  path: NonNullable<Redirect['path']>,
): NonNullable<Init<typeof RedirectActionSchema>['pathRewriteSpecifier']> {
  if (path.kind === 'full') return { case: 'pathRedirect', value: path.value };
  const rewrite = pathRewrite(match, path);
  return rewrite.kind === 'prefix'
    ? { case: 'prefixRewrite', value: rewrite.value }
    : { case: 'regexRewrite', value: rewrite.value };
}
