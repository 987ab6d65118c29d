import { createHash } from 'node:crypto';
import { stableJson } from '../base/sorted.ts';
import { type ObjectRef, refOf } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import type { Container, DeploymentSpec, PodSpec, Probe } from '../sources/specs.ts';
import { type KubeObject, wellKnown } from '../sources/types.ts';

export type Labels = Readonly<Record<string, string>>;

/** Replicas of one pod that should run: what a ReplicaSet is in a cluster. */
export type PodSet = {
  /** The object that asks for them. */
  readonly owner: ObjectRef;
  /** Unique among sets; of a Deployment its namespace and name. */
  readonly key: string;
  readonly namespace: string;
  /** What metrics call the workload. */
  readonly workload: string;
  readonly replicas: number;
  readonly template: PodTemplate;
  /** Changes when the template does: pods of another hash are replaced. */
  readonly hash: string;
};

/** Everything needed to run one pod, read out of its spec. Times in milliseconds. */
export type PodTemplate = {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly serviceAccount: string;
  /** A line for `sh -c`. */
  readonly command: string;
  readonly env: Container['env'];
  readonly ports: readonly PodPort[];
  /** Does a sidecar stand beside it? */
  readonly meshed: boolean;
  readonly gracePeriod: number;
  readonly preStop: number;
  readonly readiness?: Readiness;
};
export type PodPort = { readonly name: string; readonly port: number; readonly protocol: string };
export type Readiness = {
  readonly kind: 'http' | 'tcp';
  readonly port: number;
  readonly path: string;
  readonly period: number;
  readonly timeout: number;
  readonly failures: number;
};

/** What the container spec has for a clean end; the mesh itself does not read it. */
type StoppableContainer = Container & {
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds?: number } } };
};

/** A minute of waiting for an app that ignores SIGTERM is right for a cluster, not for a laptop. */
const defaultGracePeriod = 5_000;

/** Which pods the user's objects ask for, and a warning for each workload that nothing can be run for. */
export function podSets(objects: Iterable<KubeObject>): { sets: PodSet[]; problems: Problem[] } {
  const sets: PodSet[] = [];
  const problems: Problem[] = [];
  for (const object of objects) {
    if (object.kind !== 'Deployment' && object.kind !== 'Pod') continue;
    const set = object.kind === 'Deployment' ? setOfDeployment(object) : setOfPod(object);
    if (set === undefined) problems.push(nothingToRun(object));
    else sets.push(set);
  }
  return { sets, problems };
}

function setOfDeployment(object: KubeObject): PodSet | undefined {
  // The source lets only objects through that their kind's schema accepts.
  const spec = object.spec as DeploymentSpec;
  const { metadata, spec: podSpec } = spec.template;
  const annotations = metadata?.annotations ?? {};
  if (podSpec === undefined || annotations[wellKnown.run] === undefined) return undefined;
  const template = readTemplate(podSpec, metadata?.labels ?? {}, annotations);
  return makeSet(object, template, spec.replicas);
}

function setOfPod(object: KubeObject): PodSet | undefined {
  const { labels, annotations } = object.metadata;
  if (annotations[wellKnown.run] === undefined) return undefined;
  // As above: the schema was checked.
  return makeSet(object, readTemplate(object.spec as PodSpec, labels, annotations), 1);
}

function makeSet(object: KubeObject, template: PodTemplate, replicas: number): PodSet {
  const { namespace, name } = object.metadata;
  return {
    owner: refOf(object),
    key: `${object.kind} ${namespace}/${name}`,
    namespace,
    workload: name,
    replicas,
    template,
    hash: shortHash(stableJson(template)),
  };
}

function readTemplate(spec: PodSpec, labels: Labels, annotations: Labels): PodTemplate {
  // `lifecycle` stands in the schema beside what the mesh reads.
  const first = spec.containers[0] as StoppableContainer | undefined;
  const ports = spec.containers.flatMap((container) => container.ports ?? []);
  const grace = spec.terminationGracePeriodSeconds;
  const readiness = readReadiness(first?.readinessProbe, ports);
  return {
    labels,
    annotations,
    serviceAccount: spec.serviceAccountName ?? 'default',
    command: annotations[wellKnown.run] ?? '',
    env: first?.env ?? [],
    ports: ports.map(({ name, containerPort, protocol }) => ({
      name: name ?? '',
      port: containerPort,
      protocol,
    })),
    meshed: (annotations[wellKnown.inject] ?? labels[wellKnown.inject]) !== 'false',
    // The API server's default of 30 s cannot be told from the user's own 30 s.
    gracePeriod: grace === undefined || grace === 30 ? defaultGracePeriod : grace * 1000,
    preStop: (first?.lifecycle?.preStop?.sleep?.seconds ?? 0) * 1000,
    ...(readiness === undefined ? {} : { readiness }),
  };
}

function readReadiness(probe: Probe | undefined, ports: Container['ports'] = []): Readiness | undefined {
  const target = probe?.httpGet ?? probe?.tcpSocket;
  if (probe === undefined || target === undefined) return undefined;
  const port =
    typeof target.port === 'number'
      ? target.port
      : ports.find(({ name }) => name === target.port)?.containerPort;
  if (port === undefined) return undefined;
  return {
    kind: probe.httpGet ? 'http' : 'tcp',
    port,
    path: probe.httpGet?.path ?? '/',
    period: (probe.periodSeconds ?? 10) * 1000,
    timeout: (probe.timeoutSeconds ?? 1) * 1000,
    failures: probe.failureThreshold ?? 3,
  };
}

function nothingToRun(object: KubeObject): Problem {
  const at = object.kind === 'Deployment' ? 'spec.template.metadata.annotations' : 'metadata.annotations';
  return {
    code: 'WEFT-1213',
    severity: 'warning',
    reason: 'NothingToRun',
    message: `${object.kind} ${object.metadata.namespace}/${object.metadata.name} says nothing to run locally: ${at} has no '${wellKnown.run}'.`,
    fix: `Add '${wellKnown.run}: <command line>' there; in a cluster the annotation has no effect.`,
    ref: refOf(object),
    field: at,
  };
}

/** Ten characters without vowels or look-alikes, as a cluster's own hashes have. */
export function shortHash(text: string): string {
  const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
  const bytes = createHash('sha256').update(text).digest().subarray(0, 10);
  return [...bytes].map((byte) => alphabet[byte % alphabet.length]).join('');
}
