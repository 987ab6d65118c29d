import type { Filter } from '../../gen/envoy/config/listener/v3/listener_components_pb.ts';
import { RBACSchema } from '../../gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts';
import type { Access } from '../model/access.ts';
import { networkFilter } from './envoy/any.ts';
import type { Guard } from './guard.ts';
import { rbacRules } from './rbac-rules.ts';

/**
 * DENY, then ALLOW, for connections. The filter decides on the caller's first byte, so a server that speaks first may be
 * heard before: see `peers` of the inbound listener for how that is closed.
 */
export function networkRbac(access: Access, trustDomain: string, guard: Guard): readonly Filter[] {
  const common = { layer: 'tcp', trustDomain, guard } as const;
  const filters: Filter[] = [];
  if (access.deny.length > 0) {
    filters.push(
      networkFilter('weft.rbac.deny', RBACSchema, {
        statPrefix: 'inbound_tcp_deny.',
        rules: rbacRules(access.deny, { ...common, action: 'deny' }),
      }),
    );
  }
  if (access.allow !== null) {
    filters.push(
      networkFilter('weft.rbac.allow', RBACSchema, {
        statPrefix: 'inbound_tcp_allow.',
        rules: rbacRules(access.allow, { ...common, action: 'allow' }),
      }),
    );
  }
  return filters;
}
