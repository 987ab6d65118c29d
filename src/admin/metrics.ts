/** The control plane's own numbers. Counters only grow while the process lives. */
export type ControlPlaneMetrics = {
  readonly connectedProxies: number;
  readonly syncedProxies: number;
  /** Resources sent on discovery streams, each time. */
  readonly resourcesSent: number;
  readonly nacks: number;
  /** Runs of resolve, and the seconds they took together. */
  readonly resolves: { readonly count: number; readonly seconds: number };
};

/** Prometheus' text format. */
export function showMetrics(metrics: ControlPlaneMetrics): string {
  const { connectedProxies, syncedProxies, resourcesSent, nacks, resolves } = metrics;
  return [
    ...family('weft_proxies', 'gauge', 'Proxies connected, and of these in sync.'),
    `weft_proxies{state="connected"} ${connectedProxies}`,
    `weft_proxies{state="in_sync"} ${syncedProxies}`,
    ...family('weft_resources_sent_total', 'counter', 'Resources sent to proxies.'),
    `weft_resources_sent_total ${resourcesSent}`,
    ...family('weft_nacks_total', 'counter', 'Resources that proxies rejected.'),
    `weft_nacks_total ${nacks}`,
    ...family('weft_resolve_seconds', 'summary', 'Time to resolve all objects into the mesh.'),
    `weft_resolve_seconds_sum ${resolves.seconds}`,
    `weft_resolve_seconds_count ${resolves.count}`,
    '',
  ].join('\n');
}

function family(name: string, type: string, help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}
