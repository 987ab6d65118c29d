/** A small mesh to try things on: a caller that never stops, and versions of a backend that say who they are. */
import { join } from 'node:path';

const apps = join(import.meta.dirname, 'apps');
const run = (app: string): string => `node ${join(apps, `${app}.ts`)}`;

export const namespace = `apiVersion: v1
kind: Namespace
metadata: { name: lab, labels: { istio-injection: enabled } }
`;

export function service(name: string, app: string): string {
  return `---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: lab }
spec:
  selector: { app: ${app} }
  ports: [{ name: http, port: 80, targetPort: 8080 }]
`;
}

export type BackendOptions = {
  readonly app?: string;
  readonly version: string;
  readonly replicas?: number;
  /** What it answers; its version when not given. */
  readonly says?: string;
};

export function backend({ app = 'backend', version, replicas = 2, says = version }: BackendOptions): string {
  return `---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${app}-${version}, namespace: lab }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${app}, version: ${version} } }
  template:
    metadata:
      labels: { app: ${app}, version: ${version} }
      annotations: { weft.dev/run: '${run('backend')}' }
    spec:
      serviceAccountName: ${app}
      containers:
        - name: app
          image: backend
          ports: [{ name: http, containerPort: 8080 }]
          env: [{ name: SAYS, value: ${says} }]
`;
}

/** Calls what stands in the file `target`. */
export function caller(perSecond: number): string {
  return `---
apiVersion: apps/v1
kind: Deployment
metadata: { name: caller, namespace: lab }
spec:
  replicas: 1
  selector: { matchLabels: { app: caller } }
  template:
    metadata:
      labels: { app: caller }
      annotations: { weft.dev/run: '${run('caller')}' }
    spec:
      serviceAccountName: caller
      containers:
        - name: app
          image: caller
          env: [{ name: RPS, value: '${perSecond}' }]
`;
}

/** Subsets by the version label, and so much of the traffic for each; a rule may have more. */
export function split(
  weights: Readonly<Record<string, number>>,
  options: { readonly subsets?: Readonly<Record<string, string>>; readonly rule?: string } = {},
): string {
  const { subsets = { v1: 'v1', v2: 'v2' }, rule = '' } = options;
  return `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: backend, namespace: lab }
spec:
  host: backend
  subsets:
${Object.entries(subsets)
  .map(([name, version]) => `    - { name: ${name}, labels: { version: ${version} } }\n`)
  .join('')}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: backend, namespace: lab }
spec:
  hosts: [backend]
  http:
    - route:
${Object.entries(weights)
  .map(
    ([name, weight]) => `        - { destination: { host: backend, subset: ${name} }, weight: ${weight} }\n`,
  )
  .join('')}${rule === '' ? '' : `      ${rule}\n`}`;
}

/** One line of what the caller says. */
export type Count = {
  readonly target: string;
  readonly sent: number;
  readonly ok: number;
  readonly failed: number;
  /** By what answered, since the target last changed. */
  readonly answers: Readonly<Record<string, number>>;
  readonly pods: Readonly<Record<string, number>>;
  readonly failures: readonly { readonly at: string; readonly target: string; readonly why: string }[];
};

/** How often each has answered between two lines of one target. */
export function between(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(after)
      .map(([name, count]): [string, number] => [name, count - (before[name] ?? 0)])
      .filter(([, count]) => count > 0),
  );
}
