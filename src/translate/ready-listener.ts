import { create } from '@bufbuild/protobuf';
import { ListenerSchema } from '../../gen/envoy/config/listener/v3/listener_pb.ts';
import { HttpConnectionManagerSchema } from '../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import { meshPorts } from '../model/names.ts';
import type { EnvoyResource } from '../snapshot/resource.ts';
import { socketAddress } from './envoy/address.ts';
import { networkFilter } from './envoy/any.ts';
import { createGuard } from './guard.ts';
import { httpFilters, openAccess } from './http-filters.ts';
import { directResponse } from './route-action.ts';

const name = 'ready';

/**
 * Answers when the proxy has its whole first configuration: Envoy opens no port before. Its users are probes, so it
 * neither logs nor counts.
 */
export const readyListener: EnvoyResource = {
  type: 'listener',
  name,
  message: create(ListenerSchema, {
    name,
    address: socketAddress('0.0.0.0', meshPorts.ready),
    filterChains: [
      {
        name,
        filters: [
          networkFilter('envoy.filters.network.http_connection_manager', HttpConnectionManagerSchema, {
            statPrefix: name,
            routeSpecifier: {
              case: 'routeConfig',
              value: {
                name,
                virtualHosts: [
                  {
                    name,
                    domains: ['*'],
                    routes: [
                      {
                        name,
                        match: { pathSpecifier: { case: 'path', value: '/ready' } },
                        action: { case: 'directResponse', value: directResponse(200, 'ready\n') },
                      },
                    ],
                  },
                ],
              },
            },
            httpFilters: [...httpFilters({ access: openAccess, trustDomain: '', guard: createGuard() })],
          }),
        ],
      },
    ],
  }),
  origin: [],
};
