import { create, toBinary } from '@bufbuild/protobuf';
import { type Secret, SecretSchema } from '../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { secretNames } from '../model/names.ts';
import { resourceFromBytes, type Snapshot, snapshotOf } from '../snapshot/snapshot.ts';
import type { Certificate } from './certificate.ts';

/** A workload's own certificate with its key, and whom it may trust, as Envoy asks for them. Held in memory only. */
export function secretsOf({ chain, key, roots }: Certificate): Snapshot {
  const own = create(SecretSchema, {
    name: secretNames.workload,
    type: {
      case: 'tlsCertificate',
      value: { certificateChain: inline(chain.join('')), privateKey: inline(key) },
    },
  });
  const bundle = create(SecretSchema, {
    name: secretNames.trustBundle,
    type: { case: 'validationContext', value: { trustedCa: inline(roots) } },
  });
  return snapshotOf([own, bundle].map(resourceOf));
}

function inline(text: string): { specifier: { case: 'inlineBytes'; value: Uint8Array } } {
  return { specifier: { case: 'inlineBytes', value: Buffer.from(text) } };
}

function resourceOf(secret: Secret): ReturnType<typeof resourceFromBytes> {
  return resourceFromBytes('secret', secret.name, toBinary(SecretSchema, secret));
}
