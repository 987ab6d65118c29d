import type { TransportSocket } from '../../gen/envoy/config/core/v3/base_pb.ts';
import {
  SubjectAltNameMatcher_SanType,
  type SubjectAltNameMatcherSchema,
  TlsParameters_TlsProtocol,
} from '../../gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '../../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts';
import { type SpiffeId, secretNames } from '../model/names.ts';
import type { DestinationKey } from '../model/traffic.ts';
import { transportSocket } from './envoy/any.ts';
import { overAds } from './envoy/config-source.ts';
import type { Init } from './envoy/init.ts';
import { exactly, type StringMatcherInit, startingWith } from './envoy/string-matcher.ts';
import { alpn, sniOf } from './names.ts';

const socketName = 'envoy.transport_sockets.tls';

/** No certificate of ours carries it: a list with only this refuses every peer, an empty list would take any. */
const nobody: StringMatcherInit = exactly('spiffe://nobody.invalid/');

/** mTLS towards a destination, which must show one of the service's identities. */
export function clientTls(key: DestinationKey, identities: readonly SpiffeId[]): TransportSocket {
  return transportSocket(socketName, UpstreamTlsContextSchema, {
    sni: sniOf(key),
    commonTlsContext: meshTls(identities.map(exactly), [alpn.mesh]),
  });
}

/**
 * mTLS from mesh clients. `peers` narrows who gets through the handshake at all; `null` is everyone of the trust
 * domain. No ALPN is listed: were it negotiated, the connection manager would take HTTP/1 for granted.
 */
export function serverTls(trustDomain: string, peers: readonly StringMatcherInit[] | null): TransportSocket {
  return transportSocket(socketName, DownstreamTlsContextSchema, {
    requireClientCertificate: true,
    commonTlsContext: meshTls(peers ?? [startingWith(`spiffe://${trustDomain}/`)], []),
  });
}

/** Both ends are ours, so TLS 1.3 alone. */
function meshTls(
  peers: readonly StringMatcherInit[],
  alpnProtocols: string[],
): Init<typeof CommonTlsContextSchema> {
  return {
    tlsParams: {
      tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
    },
    tlsCertificateSdsSecretConfigs: [{ name: secretNames.workload, sdsConfig: overAds() }],
    validationContextType: {
      case: 'combinedValidationContext',
      value: {
        defaultValidationContext: {
          matchTypedSubjectAltNames: (peers.length === 0 ? [nobody] : peers).map(uri),
        },
        validationContextSdsSecretConfig: { name: secretNames.trustBundle, sdsConfig: overAds() },
      },
    },
    alpnProtocols,
  };
}

function uri(matcher: StringMatcherInit): Init<typeof SubjectAltNameMatcherSchema> {
  return { sanType: SubjectAltNameMatcher_SanType.URI, matcher };
}
