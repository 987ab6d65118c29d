import { create } from '@bufbuild/protobuf';
import {
  type ListenerFilter,
  type ListenerFilterChainMatchPredicate,
  ListenerFilterChainMatchPredicateSchema,
  ListenerFilterSchema,
} from '../../gen/envoy/config/listener/v3/listener_components_pb.ts';
import { HttpInspectorSchema } from '../../gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts';
import { OriginalDstSchema } from '../../gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts';
import { TlsInspectorSchema } from '../../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';
import { listenerFilter } from './envoy/any.ts';

/**
 * How long an inspector waits for the client to speak. A client that waits for the server instead is carried as TCP
 * after it, so this is what such a connection costs on a port whose protocol is not declared.
 */
export const inspectionTimeout = 1000;

/** What http_inspector finds, as filter chains are matched by it. */
export const sniffedHttp = ['http/1.0', 'http/1.1', 'h2c'] as const;

export const originalDestination: ListenerFilter = listenerFilter(
  'envoy.filters.listener.original_dst',
  OriginalDstSchema,
  {},
);
export const tlsInspector: ListenerFilter = listenerFilter(
  'envoy.filters.listener.tls_inspector',
  TlsInspectorSchema,
  {},
);
export const httpInspector: ListenerFilter = listenerFilter(
  'envoy.filters.listener.http_inspector',
  HttpInspectorSchema,
  {},
);

/** The filter does not look at these ports, so a server there may speak first and nobody waits. */
export function exceptOn(ports: readonly number[], filter: ListenerFilter): ListenerFilter {
  return ports.length === 0 ? filter : withDisabled(filter, anyOfPorts(ports));
}

/** The filter looks at these ports alone. */
export function onlyOn(ports: readonly number[], filter: ListenerFilter): ListenerFilter {
  const elsewhere = create(ListenerFilterChainMatchPredicateSchema, {
    rule: { case: 'notMatch', value: anyOfPorts(ports) },
  });
  return withDisabled(filter, elsewhere);
}

function withDisabled(
  filter: ListenerFilter,
  filterDisabled: ListenerFilterChainMatchPredicate,
): ListenerFilter {
  return create(ListenerFilterSchema, { name: filter.name, configType: filter.configType, filterDisabled });
}

function anyOfPorts(ports: readonly number[]): ListenerFilterChainMatchPredicate {
  const rules = ports.map((port) =>
    create(ListenerFilterChainMatchPredicateSchema, {
      rule: { case: 'destinationPortRange', value: { start: port, end: port + 1 } },
    }),
  );
  const [first] = rules;
  // Envoy wants at least two alternatives in a list of them.
  if (rules.length === 1 && first !== undefined) return first;
  return create(ListenerFilterChainMatchPredicateSchema, { rule: { case: 'orMatch', value: { rules } } });
}
