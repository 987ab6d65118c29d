import type { Filter } from '../../gen/envoy/config/listener/v3/listener_components_pb.ts';
import type { FilterStateValueSchema } from '../../gen/envoy/extensions/filters/common/set_filter_state/v3/value_pb.ts';
import { ConfigSchema } from '../../gen/envoy/extensions/filters/network/set_filter_state/v3/set_filter_state_pb.ts';
import { CelSchema } from '../../gen/envoy/extensions/formatter/cel/v3/cel_pb.ts';
import { extension, networkFilter } from './envoy/any.ts';
import type { Init } from './envoy/init.ts';
import { alpn } from './names.ts';

type StateInit = Init<typeof FilterStateValueSchema>;

const filterName = 'envoy.filters.network.set_filter_state';

export function peerKey(key: string): string {
  return `weft.peer.${key}`;
}

const subject = 'connection.subject_peer_certificate';
const cel = extension('envoy.formatter.cel', CelSchema, { celConfig: { enableStringFunctions: true } });

/**
 * Reads who calls out of the client's certificate, once for each connection: our CA wrote workload, app and version into
 * the subject (CN, OU, O) and the namespace into the SPIFFE URI, so what metrics say of a caller is attested.
 */
export const peerMetadataFilter: Filter = networkFilter(filterName, ConfigSchema, {
  onDownstreamTlsHandshake: [
    attested('workload', `${subject}.split('CN=')[1].split(',')[0]`),
    attested('app', `${subject}.split('OU=')[1].split(',')[0]`),
    attested('version', `${subject}.split('O=')[1].split(',')[0]`),
    attested('namespace', "connection.uri_san_peer_certificate.split('/')[4]"),
  ],
});

function attested(key: string, expression: string): StateInit {
  return {
    key: { case: 'objectKey', value: peerKey(key) },
    factoryKey: 'envoy.string',
    value: {
      case: 'formatString',
      value: {
        format: { case: 'textFormatSource', value: inline(`%CEL(${expression})%`) },
        formatters: [cel],
      },
    },
  };
}

/**
 * Tells the server, in the TLS hello, that HTTP follows. A server port of unknown protocol cannot look into TLS to see
 * it; the caller's proxy has already read the request.
 */
export const offerHttpFilter: Filter = networkFilter(filterName, ConfigSchema, {
  onNewConnection: [
    {
      key: { case: 'objectKey', value: 'envoy.network.application_protocols' },
      value: {
        case: 'formatString',
        value: { format: { case: 'textFormatSource', value: inline(`${alpn.http},${alpn.mesh}`) } },
      },
    },
  ],
});

function inline(text: string): { specifier: { case: 'inlineString'; value: string } } {
  return { specifier: { case: 'inlineString', value: text } };
}
