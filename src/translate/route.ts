import { create } from '@bufbuild/protobuf';
import { type Route, RouteSchema } from '../../gen/envoy/config/route/v3/route_components_pb.ts';
import { RouteConfigurationSchema } from '../../gen/envoy/config/route/v3/route_pb.ts';
import { showRef } from '../model/object-ref.ts';
import type { Service } from '../model/service.ts';
import type { HashOn, HttpRoutes, HttpRule, ServicePortView } from '../model/traffic.ts';
import type { EnvoyResource } from '../snapshot/resource.ts';
import { weftMetadata } from './envoy/metadata.ts';
import type { Guard } from './guard.ts';
import { requestMutation, responseMutation } from './header-mutation.ts';
import { routeMatch } from './match.ts';
import { routeConfigurationName } from './names.ts';
import { showOrigin, sortedOrigins } from './origin.ts';
import { directResponse, routeAction } from './route-action.ts';

/** What the destinations of a rule hash on. Asked for, because a rule may send to any service that the client sees. */
export type HashLookup = (rule: HttpRule) => readonly HashOn[];

/**
 * The routes of one service port. The listener's address has already decided the service, so Host is free: one virtual
 * host for every name, and 404 (UNIMPLEMENTED to gRPC) for what no rule matches.
 */
export function routeResource(
  service: Service,
  view: ServicePortView & { readonly routes: HttpRoutes },
  options: { readonly hashOn: HashLookup; readonly guard: Guard },
): EnvoyResource {
  const name = routeConfigurationName(service.host, view.port.number);
  const grpc = view.port.protocol === 'grpc';
  const routes = view.routes.rules.flatMap((rule) => route(rule, grpc, options));
  const message = create(RouteConfigurationSchema, {
    name,
    virtualHosts: [
      { name, domains: ['*'], routes, metadata: weftMetadata({ origin: showRef(service.origin) }) },
    ],
    // The undefined cluster of an invalid backend is meant.
    validateClusters: false,
    ...largestBody(view.routes.rules),
  });
  const origins = view.routes.rules.map((rule) => rule.origin.ref);
  return { type: 'route', name, message, origin: sortedOrigins([service.origin, ...origins]) };
}

function route(
  rule: HttpRule,
  grpc: boolean,
  { hashOn, guard }: { readonly hashOn: HashLookup; readonly guard: Guard },
): readonly Route[] {
  // Without its match a rule cannot even be refused, so it is left out; with it, its own requests are.
  const match = guard.run(
    rule.origin,
    () => routeMatch(rule.match),
    () => undefined,
  );
  if (match === undefined) return [];
  const common = {
    name: rule.name,
    match,
    metadata: weftMetadata({ origin: showOrigin(rule.origin), ...invalidBackends(rule) }),
  };
  return [
    guard.run(
      rule.origin,
      () =>
        create(RouteSchema, {
          ...common,
          action: routeAction(rule, { grpc, hashOn: hashOn(rule) }),
          ...requestMutation(rule.requestHeaders),
          ...responseMutation(rule.responseHeaders),
        }),
      () =>
        create(RouteSchema, {
          ...common,
          action: { case: 'directResponse', value: directResponse(500, '') },
        }),
    ),
  ];
}

/** Why a share of the rule's requests is answered with an error. */
function invalidBackends({ action }: HttpRule): { readonly problem?: string } {
  const backends = action.kind === 'forward' ? action.backends : [];
  const messages = backends.flatMap((backend) => (backend.kind === 'invalid' ? [backend.message] : []));
  return messages.length === 0 ? {} : { problem: messages.join('; ') };
}

/** Envoy refuses direct responses above 4 KiB unless told how long they may be. */
function largestBody(rules: readonly HttpRule[]): { maxDirectResponseBodySizeBytes?: number } {
  const longest = rules.reduce(
    (most, { action }) => (action.kind === 'respond' ? Math.max(most, utf8Length(action.body)) : most),
    0,
  );
  return longest > 4096 ? { maxDirectResponseBodySizeBytes: longest } : {};
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
