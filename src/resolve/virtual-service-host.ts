import { showRef } from '../model/object-ref.ts';
import { hostMatches, isVisible, isWildcard, visibilitiesMeet } from './host.ts';
import { type HostIndex, indexHosts } from './host-index.ts';
import type { createReports } from './problems.ts';
import { isHttp } from './protocol.ts';
import type { ServiceNames } from './topology.ts';
import type { ReadVirtualService } from './virtual-service.ts';

export type VirtualServices = HostIndex<ReadVirtualService>;

/** Those that act on sidecars, in order of age. */
export function indexVirtualServices(all: readonly ReadVirtualService[]): VirtualServices {
  return indexHosts(
    all.filter(({ mesh }) => mesh).flatMap((one) => one.hosts.map(({ host }) => [host, one] as const)),
  );
}

/** Of those that the client sees: the most specific host, then the oldest. They never merge. */
export function findVirtualService(
  index: VirtualServices,
  host: string,
  client: string,
): ReadVirtualService | undefined {
  for (const group of index(host)) {
    const first = group.find(({ visibility }) => isVisible(visibility, client));
    if (first) return first;
  }
  return undefined;
}

export type Known = { readonly names: ServiceNames; readonly reports: ReturnType<typeof createReports> };

/** What is wrong with hosts, whoever the client is. */
export function reportHosts(all: readonly ReadVirtualService[], known: Known): void {
  const acting = all.filter(({ mesh }) => mesh);
  const owners = new Map<string, ReadVirtualService[]>();
  for (const one of acting) {
    for (const { host, field } of one.hosts) {
      reportHost(one, { host, field }, known);
      const older = owners.get(host) ?? [];
      const winner = older.find(
        (other) => other !== one && visibilitiesMeet(other.visibility, one.visibility),
      );
      owners.set(host, [...older, one]);
      if (!winner) continue;
      known.reports.on(one.ref).error('WEFT-1207', {
        field,
        message: `host ${host} already has the older ${showRef(winner.ref)}, and two never merge; this one does not act for clients that see both`,
        fix: `move the rules into ${showRef(winner.ref)}, or delete one of the two`,
      });
    }
  }
}

function reportHost(
  { ref, http }: ReadVirtualService,
  { host, field }: ReadVirtualService['hosts'][number],
  { names, reports }: Known,
): void {
  const report = reports.on(ref);
  if (isWildcard(host)) {
    if (names.reads.some((service) => hostMatches(host, service.host))) return;
    const message = `no Service has a host that matches ${host}`;
    report.warning('WEFT-1210', { field, message, fix: 'name the host of a Service, or remove the entry' });
    return;
  }
  const service = names.find(host);
  if (!service) {
    const message = `host ${host} is not known, so the rules do not act there: ${names.missing(host)}`;
    report.warning('WEFT-1201', { field, message, fix: 'name the host of a Service, or remove the entry' });
    return;
  }
  if (http.length === 0 || service.ports.some(({ protocol }) => isHttp(protocol))) return;
  const ports = service.ports.map(({ number, protocol }) => `${number} (${protocol})`).join(', ');
  report.warning('WEFT-1211', {
    field,
    message: `Service ${service.namespace}/${service.name} has no HTTP port, so \`http\` does not act there; ports are ${ports}`,
    fix: 'set `appProtocol: http` on a port that speaks HTTP, or use `tcp`',
  });
}
