import { create, type JsonObject } from '@bufbuild/protobuf';
import { type Metadata, MetadataSchema } from '../../../gen/envoy/config/core/v3/base_pb.ts';

/** What Weft says about one of Envoy's objects, for `config_dump`, access logs and metrics. */
export function weftMetadata(weft: JsonObject): Metadata {
  return create(MetadataSchema, { filterMetadata: { weft } });
}
