/** Meshes of any size: the objects of a cluster with so many services of so many pods, all alike and all meshed. */

import { parseObjects } from '../../src/sources/sources.ts';
import type { KubeObject } from '../../src/sources/types.ts';

export type Manifest = { readonly [field: string]: unknown };
export type MeshSize = { readonly services: number; readonly pods: number };

export const namespace = 'bench';
export const servicePort = 8080;
export const namespaceObject: Manifest = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: namespace },
};

/** As a directory or an API server would hand them out. Throws when one of them is not valid. */
export function objectsOf(manifests: readonly Manifest[]): readonly KubeObject[] {
  const { objects, problems } = parseObjects(textOf(manifests), 'bench.yaml');
  if (problems.length > 0) throw new Error(`the bench's own objects: ${JSON.stringify(problems[0])}`);
  return objects.map(({ object }) => object);
}

/** JSON documents are YAML documents. */
export function textOf(manifests: readonly Manifest[]): string {
  return manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n');
}

/** Each service with its slice, its route and its pods; the pods of one service share a workload name. */
export function meshOf({ services, pods }: MeshSize): readonly Manifest[] {
  const numbers = Array.from({ length: services }, (_, index) => index);
  return [
    namespaceObject,
    ...numbers.flatMap((service) => [
      serviceOf(service),
      sliceOf(service, pods),
      routeOf(service, 'first'),
      ...Array.from({ length: pods }, (_, pod) => podOf(service, pod)),
    ]),
  ];
}

export function serviceName(service: number): string {
  return `s-${String(service).padStart(4, '0')}`;
}

export function podName(service: number, pod: number): string {
  return `${serviceName(service)}-7d9f5b-${pod}`;
}

export function clusterIp(service: number): string {
  return `10.96.${Math.floor(service / 250)}.${(service % 250) + 1}`;
}

function podIp(service: number, pod: number): string {
  const number = service * 100 + pod;
  return `10.244.${Math.floor(number / 250)}.${(number % 250) + 1}`;
}

export function serviceOf(service: number): Manifest {
  const name = serviceName(service);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: {
      clusterIP: clusterIp(service),
      selector: { app: name },
      ports: [{ name: 'http', port: servicePort, targetPort: servicePort, appProtocol: 'http' }],
    },
  };
}

/** The endpoints are the service's first `pods` pods. */
export function sliceOf(service: number, pods: number): Manifest {
  const endpoints = Array.from({ length: pods }, (_, pod) => ({
    addresses: [podIp(service, pod)],
    conditions: { ready: true },
    targetRef: { kind: 'Pod', namespace, name: podName(service, pod) },
  }));
  return sliceWith(service, endpoints);
}

export function sliceWith(service: number, endpoints: readonly object[]): Manifest {
  const name = serviceName(service);
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: 'http', port: servicePort, protocol: 'TCP' }],
  };
}

/** `mark` is a header that tells one form of the route from the next. */
export function routeOf(service: number, mark: string): Manifest {
  const name = serviceName(service);
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name, namespace },
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name, port: servicePort }],
      rules: [
        {
          matches: [{ path: { type: 'PathPrefix', value: '/' } }],
          filters: [
            {
              type: 'ResponseHeaderModifier',
              responseHeaderModifier: { set: [{ name: 'x-mark', value: mark }] },
            },
          ],
          backendRefs: [{ name, port: servicePort }],
        },
      ],
    },
  };
}

export function podOf(service: number, pod: number): Manifest {
  const [app, name] = [serviceName(service), podName(service, pod)];
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app}-7d9f5b`, uid: app };
  return meshedPod({ app, name }, podIp(service, pod), {
    labels: { 'pod-template-hash': '7d9f5b' },
    ownerReferences: [{ ...owner, controller: true }],
  });
}

export type Pod = { readonly name: string; readonly app: string };

/** A running pod with a sidecar; its service account is called after its app. */
export function meshedPod(
  { name, app }: Pod,
  ip: string,
  more: { readonly labels?: object; readonly ownerReferences?: readonly object[] } = {},
): Manifest {
  const labels = { app, version: 'v1', 'security.istio.io/tlsMode': 'istio', ...more.labels };
  const ports = [{ name: 'http', containerPort: servicePort }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels, ownerReferences: more.ownerReferences ?? [] },
    spec: { serviceAccountName: app, containers: [{ name: 'app', image: 'app', ports }] },
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] },
  };
}
