import type { Schema } from './schema.ts';

/**
 * Bounds that the API server keeps in code and not in its published schemas, for the core kinds, by path. `[]` is every
 * entry of a list. Custom resources carry all of theirs in their schemas.
 */
const port: Schema = { minimum: 1, maximum: 65535 };
const count: Schema = { minimum: 0 };
const protocol: Schema = { enum: ['TCP', 'UDP', 'SCTP'], default: 'TCP' };

const podPaths: readonly (readonly [string, Schema])[] = ['containers', 'initContainers'].flatMap((list) => [
  [`${list}.[].ports.[].containerPort`, port] as const,
  [`${list}.[].ports.[].protocol`, protocol] as const,
  // Repeated ports and variables are only warned of by a real server.
  [`${list}.[].ports`, { 'x-kubernetes-list-type': 'atomic' }] as const,
  [`${list}.[].env`, { 'x-kubernetes-list-type': 'atomic' }] as const,
]);
const podBounds = (prefix: string): Record<string, Schema> =>
  Object.fromEntries([
    ...podPaths.map(([path, bounds]) => [`${prefix}.${path}`, bounds]),
    [`${prefix}.containers`, { minItems: 1 }],
  ]);

export const coreBounds: Readonly<Record<string, Readonly<Record<string, Schema>>>> = {
  'v1/Service': {
    'spec.type': { enum: ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'], default: 'ClusterIP' },
    'spec.ports.[].port': port,
    'spec.ports.[].protocol': protocol,
    'spec.ports.[].nodePort': port,
    'spec.sessionAffinity': { enum: ['None', 'ClientIP'] },
    'spec.internalTrafficPolicy': { enum: ['Cluster', 'Local'] },
  },
  'v1/Pod': podBounds('spec'),
  'apps/v1/Deployment': {
    'spec.replicas': { ...count, default: 1 },
    'spec.minReadySeconds': count,
    ...podBounds('spec.template.spec'),
  },
  'discovery.k8s.io/v1/EndpointSlice': {
    addressType: { enum: ['IPv4', 'IPv6', 'FQDN'] },
    endpoints: { maxItems: 1000 },
    'endpoints.[].addresses': { minItems: 1, maxItems: 100 },
    ports: { maxItems: 20000 },
    'ports.[].port': port,
    'ports.[].protocol': protocol,
  },
};
