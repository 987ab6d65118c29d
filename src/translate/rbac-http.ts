import { RBACSchema } from '../../gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts';
import { httpFilter } from './envoy/any.ts';
import type { HttpFilterMaker } from './http-filters.ts';
import { rbacRules } from './rbac-rules.ts';

/** The two filters have names of their own, for statistics and for per-route settings to come. */
const filterNames = { deny: 'weft.rbac.deny', allow: 'weft.rbac.allow' } as const;

export const denyFilter: HttpFilterMaker = ({ access, trustDomain, guard }) =>
  access.deny.length === 0
    ? undefined
    : httpFilter(filterNames.deny, RBACSchema, {
        rules: rbacRules(access.deny, { action: 'deny', layer: 'http', trustDomain, guard }),
      });

/** With an empty list it lets nothing through: that is what "deny all" looks like. */
export const allowFilter: HttpFilterMaker = ({ access, trustDomain, guard }) =>
  access.allow === null
    ? undefined
    : httpFilter(filterNames.allow, RBACSchema, {
        rules: rbacRules(access.allow, { action: 'allow', layer: 'http', trustDomain, guard }),
      });
