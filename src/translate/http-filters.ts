import type { HttpFilter } from '../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts';
import type { Access } from '../model/access.ts';
import type { Guard } from './guard.ts';
import { allowFilter, denyFilter } from './rbac-http.ts';
import { routerFilter } from './router.ts';

export type HttpFilterInput = {
  readonly access: Access;
  readonly trustDomain: string;
  readonly guard: Guard;
};

/** `undefined` when nothing asks for the filter: a chain has only what it needs. */
export type HttpFilterMaker = (input: HttpFilterInput) => HttpFilter | undefined;

/** Every HTTP filter there is, in the order that a request meets them. A new one is one file and one line here. */
const order: readonly { readonly make: HttpFilterMaker; readonly why: string }[] = [
  { make: denyFilter, why: 'a DENY ends it, whatever else would allow' },
  {
    make: allowFilter,
    why: 'needs the identity only, and must come before anything spends work on the request',
  },
  { make: routerFilter, why: 'sends the request on; Envoy wants it last' },
];

export function httpFilters(input: HttpFilterInput): readonly HttpFilter[] {
  return order.flatMap(({ make }) => make(input) ?? []);
}

export const openAccess: Access = { deny: [], allow: null };
