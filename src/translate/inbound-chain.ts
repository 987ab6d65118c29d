import { create } from '@bufbuild/protobuf';
import type { Filter, FilterChainSchema } from '../../gen/envoy/config/listener/v3/listener_components_pb.ts';
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from '../../gen/envoy/config/route/v3/route_pb.ts';
import type { Access, InboundPort } from '../model/access.ts';
import type { MeshSettings } from '../model/mesh.ts';
import type { RetryPolicy } from '../model/traffic.ts';
import { duration } from './envoy/duration.ts';
import type { Init } from './envoy/init.ts';
import { weftMetadata } from './envoy/metadata.ts';
import type { StringMatcherInit } from './envoy/string-matcher.ts';
import type { Guard } from './guard.ts';
import { httpConnectionManager } from './http-connection-manager.ts';
import { httpFilters } from './http-filters.ts';
import { identityBound } from './identity-matcher.ts';
import { inboundLogs, type Logs } from './logs.ts';
import { fixedClusters, inboundCluster } from './names.ts';
import { showOrigins } from './origin.ts';
import { peerMetadataFilter } from './peer-metadata.ts';
import { networkRbac } from './rbac-network.ts';
import { allowRulesOnTcp } from './rbac-rules.ts';
import { retryPolicy } from './retry.ts';
import type { Self } from './stats-tags.ts';
import { tcpProxy, toCluster } from './tcp-proxy.ts';
import { serverTls } from './tls.ts';

export type Chain = Init<typeof FilterChainSchema>;

export type InboundOptions = { readonly settings: MeshSettings; readonly self: Self; readonly guard: Guard };

/** One declared port, or (without `port`) all the others. */
export type ChainTarget = {
  readonly port: InboundPort | undefined;
  readonly access: Access;
  readonly cluster: string;
};

export function mtlsHttpChain(target: ChainTarget, options: InboundOptions): Chain {
  return {
    transportSocket: serverTls(options.settings.trustDomain, null),
    filters: [peerMetadataFilter, httpManager(target, options, 'mtls')],
    ...chainMetadata(target),
  };
}

/**
 * On a TCP port the handshake itself turns away who cannot pass any ALLOW rule: the filters behind it decide on the
 * caller's first byte, when a server that speaks first has been heard. A caller that only a DENY rule turns away may
 * still hear such a server's greeting, and gets nothing across.
 */
export function mtlsTcpChain(target: ChainTarget, options: InboundOptions): Chain {
  const { trustDomain } = options.settings;
  return {
    transportSocket: serverTls(trustDomain, peers(target.access, trustDomain)),
    filters: [
      peerMetadataFilter,
      ...networkRbac(target.access, trustDomain, options.guard),
      tcpProxy({
        direction: 'inbound',
        to: toCluster(target.cluster),
        accessLog: logs(target, options, 'mtls').tcp,
        afterHandshake: true,
      }),
    ],
    ...chainMetadata(target),
  };
}

export function plaintextHttpChain(target: ChainTarget, options: InboundOptions): Chain {
  return { filters: [httpManager(target, options, 'plaintext')], ...chainMetadata(target) };
}

/** Plain bytes, which may also be a TLS of the app's own. No identity: rules that ask for one turn all of it away. */
export function plaintextTcpChain(target: ChainTarget, options: InboundOptions): Chain {
  const { trustDomain } = options.settings;
  const proxyTo = (cluster: string): Filter =>
    tcpProxy({
      direction: 'inbound',
      to: toCluster(cluster),
      accessLog: logs(target, options, 'plaintext').tcp,
    });
  const filters =
    peers(target.access, trustDomain) === null
      ? [...networkRbac(target.access, trustDomain, options.guard), proxyTo(target.cluster)]
      : [proxyTo(fixedClusters.blackHole)];
  return { filters, ...chainMetadata(target) };
}

/** Who can pass at all; `null` when the rules leave it open. */
function peers(access: Access, trustDomain: string): readonly StringMatcherInit[] | null {
  return access.allow === null ? null : identityBound(trustDomain, allowRulesOnTcp(access.allow));
}

function logs(target: ChainTarget, options: InboundOptions, peer: 'mtls' | 'plaintext'): Logs {
  return inboundLogs(options.settings, options.self, { port: target.port, peer });
}

function httpManager(target: ChainTarget, options: InboundOptions, peer: 'mtls' | 'plaintext'): Filter {
  const { settings, guard } = options;
  return httpConnectionManager({
    direction: 'inbound',
    routes: inboundRoutes(target),
    filters: httpFilters({ access: target.access, trustDomain: settings.trustDomain, guard }),
    accessLog: logs(target, options, peer).http,
  });
}

/** The app's other address is tried when one refuses, and a request that did not reach it is sent once more. */
const toApp: RetryPolicy = {
  attempts: 2,
  on: ['connect-failure', 'reset-before-request'],
  statusCodes: [],
  backoff: 1,
};

function inboundRoutes({ port, cluster }: ChainTarget): RouteConfiguration {
  const name = port === undefined ? cluster : inboundCluster(port.port);
  const retry = retryPolicy(toApp, false);
  return create(RouteConfigurationSchema, {
    name,
    validateClusters: false,
    virtualHosts: [
      {
        name,
        domains: ['*'],
        routes: [
          {
            name: 'default',
            match: { pathSpecifier: { case: 'prefix', value: '/' } },
            action: {
              case: 'route',
              value: {
                clusterSpecifier: { case: 'cluster', value: cluster },
                timeout: duration(0),
                ...(retry !== undefined && { retryPolicy: retry }),
              },
            },
            ...chainMetadata({ port }),
          },
        ],
      },
    ],
  });
}

function chainMetadata({ port }: Pick<ChainTarget, 'port'>): Pick<Chain, 'metadata'> {
  if (port === undefined) return {};
  const origin = showOrigins(port.origins.map(({ ref }) => ref));
  return { metadata: weftMetadata({ service: port.serviceHost, origin }) };
}
