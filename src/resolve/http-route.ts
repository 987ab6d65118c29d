import type { MeshSettings } from '../model/mesh.ts';
import { type ObjectRef, refOf } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import { defaultRetry, noHeaders, type RetryPolicy } from '../model/traffic.ts';
import type {
  HTTPBackendRef,
  HTTPRouteObject,
  HTTPRouteRule,
  ParentReference,
} from '../sources/specs-gateway.ts';
import { readDuration, readInteger } from './duration.ts';
import { serviceHost } from './host.ts';
import { isCore, readBackendFilters, readRuleFilters } from './http-route-filter.ts';
import { readMatches } from './http-route-match.ts';
import { createReport, type Report, unsupported } from './problems.ts';
import { type ActionDraft, type BackendDraft, type RuleDraft, refuse } from './rule.ts';

/** An HTTPRoute by itself. */
export type ReadHttpRoute = {
  readonly ref: ObjectRef;
  readonly namespace: string;
  /** Only the parents that are Services. */
  readonly parents: readonly ServiceParent[];
  /** In the order written. */
  readonly rules: readonly RuleDraft[];
  readonly created: string;
  readonly problems: readonly Problem[];
};
export type ServiceParent = {
  readonly namespace: string;
  readonly name: string;
  readonly host: string;
  readonly port?: number;
  readonly sectionName?: string;
  readonly field: string;
};

export function readHttpRoute(object: HTTPRouteObject, settings: MeshSettings): ReadHttpRoute {
  const ref = refOf(object);
  const report = createReport(ref);
  const { parentRefs = [], hostnames = [], rules } = object.spec;
  const parents = parentRefs.flatMap((parent, i) =>
    readParent(parent, `spec.parentRefs[${i}]`, { ref, report, settings }),
  );
  if (hostnames.length > 0 && parents.length > 0) {
    report.warning('WEFT-1101', {
      field: 'spec.hostnames',
      message:
        'hostnames have no meaning on a route of a Service: the rules act whatever host a request names',
      fix: 'remove the field, or match the header `Host`',
    });
  }
  return {
    ref,
    namespace: ref.namespace,
    parents,
    rules: rules.flatMap((rule, i) => readRule(rule, { index: i, ref, report, settings })),
    created: object.metadata.creationTimestamp,
    problems: report.problems,
  };
}

type Reading = { readonly ref: ObjectRef; readonly report: Report; readonly settings: MeshSettings };

/** Kinds that nobody told us of are other controllers' business; gateways are ours, later. */
function readParent(
  parent: ParentReference,
  field: string,
  { ref, report, settings }: Reading,
): ServiceParent[] {
  const { group, kind, namespace = ref.namespace, name, port, sectionName } = parent;
  if (kind === 'Gateway' && group === 'gateway.networking.k8s.io') {
    report.warning('WEFT-1101', {
      field,
      message: `parent Gateway ${namespace}/${name}: gateways are not supported yet; the route does not act there`,
      fix: 'attach the route to a Service: group "", kind Service',
    });
  }
  if (kind !== 'Service' || !isCore(group)) return [];
  const host = serviceHost(namespace, name, settings.clusterDomain);
  return [
    {
      namespace,
      name,
      host,
      ...(port === undefined ? {} : { port }),
      ...(sectionName === undefined ? {} : { sectionName }),
      field,
    },
  ];
}

function readRule(rule: HTTPRouteRule, reading: Reading & { readonly index: number }): RuleDraft[] {
  const { index, ref, report } = reading;
  const field = `spec.rules[${index}]`;
  const filters = readRuleFilters(rule.filters ?? [], report, `${field}.filters`);
  if (rule.sessionPersistence) {
    report.error(
      'WEFT-1101',
      unsupported(`${field}.sessionPersistence`, { instead: 'the rule answers 500' }),
    );
  }
  const refused = filters.refused || rule.sessionPersistence !== undefined;
  const timeout = readDuration(rule.timeouts?.request, {
    report,
    field: `${field}.timeouts.request`,
    zero: true,
  });
  const draft: Omit<RuleDraft, 'match'> = {
    name: rule.name ?? `${ref.namespace}.${ref.name}.${index}`,
    // What is refused must not reach a proxy in any form.
    requestHeaders: refused ? noHeaders : filters.requestHeaders,
    responseHeaders: refused ? noHeaders : filters.responseHeaders,
    timeout: timeout ?? 0,
    retry: readRetry(rule, report, field),
    action: refused ? refuse('WEFT-1101') : readAction(rule, filters, { ...reading, field }),
    origin: { ref, field },
  };
  return readMatches(rule.matches, report, `${field}.matches`).map((match) => ({ ...draft, match }));
}

type RuleReading = Reading & { readonly field: string };

function readAction(
  { backendRefs = [] }: HTTPRouteRule,
  { redirect, rewrite }: ReturnType<typeof readRuleFilters>,
  reading: RuleReading,
): ActionDraft {
  if (redirect) return { kind: 'redirect', redirect };
  const kept = rewrite ? { rewrite } : {};
  // A mesh rule without backends shapes what goes to the Service anyway (GEP-1686).
  if (backendRefs.length === 0)
    return { kind: 'forward', backends: [{ kind: 'parent', weight: 1 }], ...kept };
  const backends = backendRefs.map((backend, i) =>
    readBackend(backend, { ...reading, field: `${reading.field}.backendRefs[${i}]` }),
  );
  const weighted = backends.filter(({ weight }) => weight > 0);
  if (weighted.length > 0) return { kind: 'forward', backends: weighted, ...kept };
  reading.report.error('WEFT-1205', {
    field: `${reading.field}.backendRefs`,
    message: 'the weights of all backends are 0, so no backend can be chosen; the rule answers 500',
    fix: 'give at least one backend a weight above 0',
  });
  return refuse('WEFT-1205');
}

/** Of any namespace, without a ReferenceGrant: what a client may reach in a mesh, it reaches without a route too (GEP-1294). */
function readBackend(backend: HTTPBackendRef, { ref, report, settings, field }: RuleReading): BackendDraft {
  const { group, kind, name, namespace = ref.namespace, port, weight, filters = [] } = backend;
  if (kind !== 'Service' || !isCore(group)) {
    const message = `backend ${kind} ${namespace}/${name}: only Services can be backends`;
    report.error('WEFT-1204', { field, message, fix: 'refer to a Service: group "", kind Service' });
    return { kind: 'invalid', weight, message };
  }
  if (port === undefined) {
    const message = `backend ${namespace}/${name} has no port, and a Service can only be reached by one`;
    report.error('WEFT-1202', { field, message, fix: 'add `port` to the backendRef' });
    return { kind: 'invalid', weight, message };
  }
  const headers = readBackendFilters(filters, report, `${field}.filters`);
  if (headers.refused) {
    return {
      kind: 'invalid',
      weight,
      message: `a filter of backend ${namespace}/${name} is not supported yet`,
    };
  }
  return {
    kind: 'reference',
    host: serviceHost(namespace, name, settings.clusterDomain),
    shown: `${namespace}/${name}:${port}`,
    port,
    subset: '',
    weight,
    requestHeaders: headers.requestHeaders ?? noHeaders,
    responseHeaders: headers.responseHeaders ?? noHeaders,
    origin: { ref, field },
  };
}

function readRetry({ retry, timeouts }: HTTPRouteRule, report: Report, field: string): RetryPolicy {
  const perTryTimeout = readDuration(timeouts?.backendRequest, {
    report,
    field: `${field}.timeouts.backendRequest`,
    zero: true,
  });
  const perTry = perTryTimeout ? { perTryTimeout } : {};
  if (!retry) return { ...defaultRetry, ...perTry };
  const at = `${field}.retry`;
  const attempts = readInteger(retry.attempts, { report, field: `${at}.attempts`, min: 0, max: 100 });
  const backoff = readDuration(retry.backoff, { report, field: `${at}.backoff` });
  const statusCodes = [...new Set(retry.codes)];
  return {
    // An unreadable number of attempts is none: never repeat a request that nobody asked to repeat.
    attempts: attempts ?? (retry.attempts === undefined ? defaultRetry.attempts : 0),
    on: statusCodes.length > 0 ? [...defaultRetry.on, 'retriable-status-codes'] : defaultRetry.on,
    statusCodes,
    ...perTry,
    ...(backoff === undefined ? {} : { backoff }),
  };
}
