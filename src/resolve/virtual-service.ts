import type { MeshSettings } from '../model/mesh.ts';
import { type ObjectRef, type Origin, refOf } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import type { IstioHTTPRoute, VirtualServiceObject, VirtualServiceSpec } from '../sources/specs-istio.ts';
import { orElse } from './fields.ts';
import { expandHost, readVisibility, type Visibility } from './host.ts';
import { createReport, type Report, unsupported } from './problems.ts';
import type { BackendDraft, RuleDraft } from './rule.ts';
import { type Reading, readDestinations, readRoute } from './virtual-service-action.ts';
import {
  asksLabels,
  isMesh,
  type MatchScope,
  type ReadMatch,
  readMatch,
  readScope,
} from './virtual-service-match.ts';

/** A VirtualService by itself. */
export type ReadVirtualService = {
  readonly ref: ObjectRef;
  readonly hosts: readonly { readonly host: string; readonly field: string }[];
  /** Does it act on sidecars at all? */
  readonly mesh: boolean;
  readonly visibility: Visibility;
  /** In order, one for each match; the first that matches wins. What is not understood comes last, and answers 500. */
  readonly http: readonly ScopedRule[];
  readonly tcp: readonly ScopedTcp[];
  readonly tls: boolean;
  readonly problems: readonly Problem[];
};
/** A rule that is there only for some ports and clients. */
export type ScopedRule = MatchScope & Pick<ReadMatch, 'catchAll' | 'last'> & { readonly draft: RuleDraft };
export type ScopedTcp = MatchScope & { readonly backends: readonly BackendDraft[]; readonly origin: Origin };

export function readVirtualService(object: VirtualServiceObject, settings: MeshSettings): ReadVirtualService {
  const ref = refOf(object);
  const report = createReport(ref);
  const reading: Reading = { ref, report, settings };
  const { hosts = [], exportTo, http = [], tls = [] } = object.spec;
  const gateways = orElse(object.spec.gateways, 'mesh');
  if (hosts.length === 0) {
    const message = 'there is no host, so the rules act nowhere';
    report.warning('WEFT-1210', { field: 'spec.hosts', message, fix: 'name the host of a Service' });
  }
  const others = gateways.filter((name) => name !== 'mesh');
  if (others.length > 0) {
    report.warning('WEFT-1101', {
      field: 'spec.gateways',
      message: `gateways are not supported yet: the rules do not act on ${others.join(', ')}`,
      fix: gateways.includes('mesh') ? 'remove the gateways' : 'add `mesh` to act on sidecars',
    });
  }
  if (tls.length > 0) {
    const instead = 'connections to TLS ports of these hosts are closed';
    report.error('WEFT-1101', unsupported('spec.tls', { instead }));
  }
  return {
    ref,
    hosts: hosts.map((host, i) => ({
      host: expandHost(host, ref.namespace, settings.clusterDomain),
      field: `spec.hosts[${i}]`,
    })),
    mesh: gateways.includes('mesh'),
    visibility: readVisibility(exportTo, ref.namespace),
    http: readHttp(http, reading),
    tcp: readTcp(object.spec, reading),
    tls: tls.length > 0,
    problems: report.problems,
  };
}

function readHttp(routes: readonly IstioHTTPRoute[], reading: Reading): readonly ScopedRule[] {
  const rules: ScopedRule[] = [];
  let hidden = '';
  for (const [i, route] of routes.entries()) {
    const field = `spec.http[${i}]`;
    if (hidden !== '') reportHidden(field, hidden, reading.report);
    const own = readHttpRoute(route, field, reading);
    rules.push(...own);
    if (
      hidden === '' &&
      own.some((rule) => rule.catchAll && rule.port === undefined && !rule.sourceNamespace)
    ) {
      hidden = field;
    }
  }
  return rules.sort((a, b) => Number(a.last) - Number(b.last));
}

function reportHidden(field: string, by: string, report: Report): void {
  report.warning('WEFT-1208', {
    field,
    message: `no request gets here: ${by} already matches everything`,
    fix: `move it before ${by}, or give ${by} a condition`,
  });
}

function readHttpRoute(route: IstioHTTPRoute, field: string, reading: Reading): ScopedRule[] {
  const { ref } = reading;
  const action = readRoute(route, field, reading);
  const name = route.name ?? `${ref.namespace}.${ref.name}.${field.replace(/\D/g, '')}`;
  return orElse(route.match, {}).flatMap((block, i): ScopedRule[] => {
    const at = route.match?.length ? `${field}.match[${i}]` : field;
    if (!isMesh(block)) return [];
    const read = readMatch(block, at, reading.report);
    const draft: RuleDraft = {
      ...action.forMatch(read),
      name: block.name ? `${name}.${block.name}` : name,
      match: read.match,
      origin: { ref, field },
    };
    return [{ ...readScope(block), draft, catchAll: read.catchAll, last: read.last }];
  });
}

function readTcp({ tcp = [] }: VirtualServiceSpec, reading: Reading): readonly ScopedTcp[] {
  return tcp.flatMap(({ match, route = [] }, i) => {
    const field = `spec.tcp[${i}]`;
    const { backends } = readDestinations(route, `${field}.route`, reading);
    return orElse(match, {})
      .filter(isMesh)
      .map((block, j): ScopedTcp => {
        const { destinationSubnets, sourceSubnet } = block;
        const refused = destinationSubnets?.length || asksLabels(block) || sourceSubnet;
        const message = 'only port, sourceNamespace and gateways can be matched';
        if (refused) {
          reading.report.error(
            'WEFT-1101',
            unsupported(`${field}.match[${j}]`, { why: message, instead: 'connections are closed' }),
          );
        }
        return {
          ...readScope(block),
          backends: refused ? [{ kind: 'invalid', weight: 1, message }] : backends,
          origin: { ref: reading.ref, field },
        };
      });
  });
}
