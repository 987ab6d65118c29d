import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { type TransportSocket, TransportSocketSchema } from '../../../gen/envoy/config/core/v3/base_pb.ts';
import {
  type TypedExtensionConfig,
  TypedExtensionConfigSchema,
} from '../../../gen/envoy/config/core/v3/extension_pb.ts';
import {
  type Filter,
  FilterSchema,
  type ListenerFilter,
  ListenerFilterSchema,
} from '../../../gen/envoy/config/listener/v3/listener_components_pb.ts';
import {
  type HttpFilter,
  HttpFilterSchema,
} from '../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';

export function any<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any {
  return anyPack(schema, create(schema, init));
}

/** An extension by name and configuration, as Envoy's newer fields want it. */
export function extension<Desc extends DescMessage>(
  name: string,
  schema: Desc,
  init: MessageInitShape<Desc>,
): TypedExtensionConfig {
  return create(TypedExtensionConfigSchema, { name, typedConfig: any(schema, init) });
}

export function networkFilter<Desc extends DescMessage>(
  name: string,
  schema: Desc,
  init: MessageInitShape<Desc>,
): Filter {
  return create(FilterSchema, { name, configType: { case: 'typedConfig', value: any(schema, init) } });
}

export function listenerFilter<Desc extends DescMessage>(
  name: string,
  schema: Desc,
  init: MessageInitShape<Desc>,
): ListenerFilter {
  return create(ListenerFilterSchema, {
    name,
    configType: { case: 'typedConfig', value: any(schema, init) },
  });
}

export function httpFilter<Desc extends DescMessage>(
  name: string,
  schema: Desc,
  init: MessageInitShape<Desc>,
): HttpFilter {
  return create(HttpFilterSchema, { name, configType: { case: 'typedConfig', value: any(schema, init) } });
}

export function transportSocket<Desc extends DescMessage>(
  name: string,
  schema: Desc,
  init: MessageInitShape<Desc>,
): TransportSocket {
  return create(TransportSocketSchema, {
    name,
    configType: { case: 'typedConfig', value: any(schema, init) },
  });
}
