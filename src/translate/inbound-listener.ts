import { create } from '@bufbuild/protobuf';
import { TrafficDirection } from '../../gen/envoy/config/core/v3/base_pb.ts';
import type {
  FilterChainMatchSchema,
  ListenerFilter,
} from '../../gen/envoy/config/listener/v3/listener_components_pb.ts';
import { ListenerSchema } from '../../gen/envoy/config/listener/v3/listener_pb.ts';
import type { InboundPort, InboundView, MtlsMode } from '../model/access.ts';
import { meshPorts } from '../model/names.ts';
import type { ObjectRef } from '../model/object-ref.ts';
import type { EnvoyResource } from '../snapshot/resource.ts';
import { socketAddress } from './envoy/address.ts';
import { duration } from './envoy/duration.ts';
import type { Init } from './envoy/init.ts';
import { bufferLimit } from './http-options.ts';
import {
  type Chain,
  type ChainTarget,
  type InboundOptions,
  mtlsHttpChain,
  mtlsTcpChain,
  plaintextHttpChain,
  plaintextTcpChain,
} from './inbound-chain.ts';
import {
  exceptOn,
  httpInspector,
  inspectionTimeout,
  onlyOn,
  originalDestination,
  sniffedHttp,
  tlsInspector,
} from './listener-filters.ts';
import { alpn, fixedClusters, inboundCluster } from './names.ts';
import { sortedOrigins } from './origin.ts';
import { blackHole } from './tcp-proxy.ts';

type Match = Init<typeof FilterChainMatchSchema>;

/**
 * Where capture sends everything that comes to the workload: a set of filter chains for each declared port, and one set
 * for all others.
 *
 * There is no default filter chain on purpose. Envoy falls back to it also when a declared port has chains and none of
 * them fits, so plaintext to a STRICT port would come in through it.
 */
export function virtualInbound(view: InboundView, options: InboundOptions): EnvoyResource {
  const name = 'virtualInbound';
  const ports = view.ports.filter(({ port }) => port !== meshPorts.inbound).sort((a, b) => a.port - b.port);
  const message = create(ListenerSchema, {
    name,
    address: socketAddress('0.0.0.0', meshPorts.inbound),
    trafficDirection: TrafficDirection.INBOUND,
    perConnectionBufferLimitBytes: bufferLimit,
    listenerFilters: inspectors(view, ports),
    listenerFiltersTimeout: duration(inspectionTimeout),
    continueOnListenerFiltersTimeout: true,
    filterChains: [
      { name: 'guard', filterChainMatch: { destinationPort: meshPorts.inbound }, filters: [blackHole] },
      ...ports.flatMap((port) => declaredPort(port, options)),
      ...otherPorts(view.other, options),
    ],
  });
  return { type: 'listener', name, message, origin: sortedOrigins(inboundOrigins(view)) };
}

function inboundOrigins(view: InboundView): readonly ObjectRef[] {
  return [...view.ports, view.other].flatMap(({ origins, access }) => {
    const ofAccess = [...access.deny, ...(access.allow ?? [])].map(({ origin }) => origin);
    return [...origins, ...ofAccess].map(({ ref }) => ref);
  });
}

/** Nothing is inspected that is not decided by it: each inspection waits for the client to speak first. */
function inspectors(view: InboundView, ports: readonly InboundPort[]): ListenerFilter[] {
  const plain = ports.filter((port) => port.mtls === 'DISABLE').map((port) => port.port);
  const guessed = ports.filter((port) => port.protocol === 'auto' && port.mtls !== 'STRICT');
  const needsTls = view.other.mtls !== 'DISABLE' || plain.length < ports.length;
  const tls =
    view.other.mtls === 'DISABLE'
      ? ports.filter((port) => port.mtls !== 'DISABLE').map((port) => port.port)
      : null;
  return [
    originalDestination,
    ...(needsTls ? [tls === null ? exceptOn(plain, tlsInspector) : onlyOn(tls, tlsInspector)] : []),
    ...(guessed.length > 0
      ? [
          onlyOn(
            guessed.map((port) => port.port),
            httpInspector,
          ),
        ]
      : []),
  ];
}

function declaredPort(port: InboundPort, options: InboundOptions): readonly Chain[] {
  const target: ChainTarget = { port, access: port.access, cluster: inboundCluster(port.port) };
  const origin = port.origins[0];
  const make = (): readonly Chain[] => chainsFor(target, port.mtls, options);
  // Without chains of its own the port would be taken for an undeclared one, with the rules of those.
  const refuse = (): readonly Chain[] => [
    { name: `${port.port}-refused`, filterChainMatch: { destinationPort: port.port }, filters: [blackHole] },
  ];
  return origin === undefined ? make() : options.guard.run(origin, make, refuse);
}

function otherPorts(other: InboundView['other'], options: InboundOptions): readonly Chain[] {
  const target: ChainTarget = {
    port: undefined,
    access: other.access,
    cluster: fixedClusters.inboundPassthrough,
  };
  return chainsFor(target, other.mtls, options);
}

/** By mode: what comes over mTLS, what comes plain, and what comes in a TLS that is the app's own business. */
function chainsFor(target: ChainTarget, mode: MtlsMode, options: InboundOptions): readonly Chain[] {
  return [
    ...(mode === 'DISABLE' ? [] : mtlsChains(target, options)),
    ...(mode === 'STRICT' ? [] : plaintextChains(target, options)),
    ...(mode === 'PERMISSIVE'
      ? [named(target, 'tls', { transportProtocol: 'tls' }, plaintextTcpChain(target, options))]
      : []),
  ];
}

function mtlsChains(target: ChainTarget, options: InboundOptions): readonly Chain[] {
  const match = (protocol: string): Match => ({ transportProtocol: 'tls', applicationProtocols: [protocol] });
  switch (target.port?.protocol) {
    case 'http':
    case 'http2':
    case 'grpc':
      return [named(target, 'mtls', match(alpn.mesh), mtlsHttpChain(target, options))];
    case 'auto':
      return [
        named(target, 'mtls-http', match(alpn.http), mtlsHttpChain(target, options)),
        named(target, 'mtls', match(alpn.mesh), mtlsTcpChain(target, options)),
      ];
    case 'tcp':
    case 'tls':
    case undefined:
      return [named(target, 'mtls', match(alpn.mesh), mtlsTcpChain(target, options))];
  }
}

function plaintextChains(target: ChainTarget, options: InboundOptions): readonly Chain[] {
  const plain: Match = { transportProtocol: 'raw_buffer' };
  switch (target.port?.protocol) {
    case 'http':
    case 'http2':
    case 'grpc':
      return [named(target, 'plaintext', plain, plaintextHttpChain(target, options))];
    case 'auto': {
      const http: Match = { ...plain, applicationProtocols: [...sniffedHttp] };
      return [
        named(target, 'plaintext-http', http, plaintextHttpChain(target, options)),
        named(target, 'plaintext', plain, plaintextTcpChain(target, options)),
      ];
    }
    case 'tcp':
    case 'tls':
    case undefined:
      return [named(target, 'plaintext', plain, plaintextTcpChain(target, options))];
  }
}

function named({ port }: ChainTarget, kind: string, match: Match, chain: Chain): Chain {
  return {
    name: `${port === undefined ? 'other' : port.port}-${kind}`,
    filterChainMatch: { ...match, ...(port !== undefined && { destinationPort: port.port }) },
    ...chain,
  };
}
