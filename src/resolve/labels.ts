/** Labels and annotations that this room reads; the whole list is `wellKnown` of the sources. */
export const wellKnown = {
  tlsMode: 'security.istio.io/tlsMode',
  serviceName: 'kubernetes.io/service-name',
  exportTo: 'networking.istio.io/exportTo',
  dryRun: 'istio.io/dry-run',
} as const;
