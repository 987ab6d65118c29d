import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { createLogger, type Logger } from '../base/log.ts';
import { createTokenIssuer, type PodIdentity } from '../identity/identity.ts';
import { type Pod, runLocal } from '../local/local.ts';
import { shownAs } from '../model/service.ts';
import type { Source } from '../sources/types.ts';
import { superviseChild } from './child.ts';
import { innerSockets } from './run-state.ts';

/** What the inside of a mesh is told on its command line, as JSON. Nothing of it is secret. */
export type InnerOptions = {
  readonly directory: string;
  readonly stateDirectory: string;
  readonly version: string;
  readonly launcher: readonly string[];
  readonly extraPath: readonly string[];
  readonly envoy: string;
  readonly separate: boolean;
  readonly certificateTtlSeconds: number;
  readonly outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  /** Where Prometheus finds the mesh's metrics, on the host. */
  readonly metricsAddress: string;
  readonly shop?: { readonly namespace: string; readonly service: string; readonly port: string };
};

/** What a control plane or a node agent of a local mesh is told; JSON as well, for both may be processes of their own. */
export type PartOptions = InnerOptions & {
  /** File with the public keys that pod tokens are checked with. */
  readonly tokenKeysFile: string;
  /** The runtime's Pods and EndpointSlices, beside the user's objects. */
  readonly clusterDirectory: string;
  readonly sockets: {
    readonly controlPlane: string;
    readonly controlPlaneAdmin: string;
    readonly agent: string;
  };
};

export type PartName = 'control-plane' | 'node-agent';

/** What the program passes in: the two parts, and two functions of rooms that the runtime may not look into. */
export type InnerParts = {
  /** Each runs until its signal aborts; ending earlier is a failure. */
  readonly run: Readonly<Record<PartName, (options: PartOptions, signal: AbortSignal) => Promise<void>>>;
  readonly source: (directory: string, log: Logger) => Source;
  readonly bootstrap: (pod: Pod) => string;
};

const clusterDirectory = `${innerSockets}/cluster`;

/**
 * The inside of a mesh, in its own namespaces: hosts or supervises control plane and node agent, and runs the local runtime.
 * Ends when the signal says so, when its standard input ends (the outside is gone), or when one of the three fails.
 */
export async function runInner(
  options: InnerOptions,
  parts: InnerParts,
  signal: AbortSignal,
): Promise<number> {
  const log = createLogger((line) => process.stderr.write(line), Date.now);
  const end = new AbortController();
  const over = AbortSignal.any([signal, parentEnd(), end.signal]);
  // The runtime ends first: pods on their way out still need control plane and agent.
  const partsEnd = new AbortController();
  const issuer = await createTokenIssuer();
  const tokenKeysFile = `${innerSockets}/token-keys.json`;
  await writeFile(tokenKeysFile, JSON.stringify(issuer.keys));
  const partOptions: PartOptions = {
    ...options,
    tokenKeysFile,
    clusterDirectory,
    sockets: {
      controlPlane: `${innerSockets}/control-plane.sock`,
      controlPlaneAdmin: `${innerSockets}/control-plane.admin.sock`,
      agent: `${innerSockets}/agent.sock`,
    },
  };
  let failure: unknown;
  const guard = async (name: string, work: Promise<void>, wanted: AbortSignal): Promise<void> => {
    try {
      await work;
      if (!wanted.aborted) throw new Error(`${name} ended by itself`);
    } catch (error) {
      failure ??= error;
      log.error(`${name} failed`, explained(error));
      end.abort();
    }
  };
  const running = (['control-plane', 'node-agent'] as const).map((name) =>
    guard(name, runPart(name, { options: partOptions, parts, log }, partsEnd.signal), partsEnd.signal),
  );
  const issueToken = async (pod: Pod, ttl: number): Promise<string> =>
    await issuer.issue(identityOf(pod), { now: Date.now(), ttl });
  await guard('runtime', runLocal(localOptions(partOptions, { parts, log, issueToken }), over), over);
  partsEnd.abort();
  await Promise.all(running);
  return failure === undefined ? 0 : 1;
}

/** Of a failure that we know, what to do; of any other, where it came from. */
function explained(error: unknown): { readonly reason: string; readonly fix?: string } {
  if (!(error instanceof Error)) return { reason: String(error) };
  if ('fix' in error && typeof error.fix === 'string') return { reason: error.message, fix: error.fix };
  return { reason: error.stack ?? error.message };
}

type PartContext = { readonly options: PartOptions; readonly parts: InnerParts; readonly log: Logger };

async function runPart(
  name: PartName,
  { options, parts, log }: PartContext,
  signal: AbortSignal,
): Promise<void> {
  if (!options.separate) return await parts.run[name](options, signal);
  const args = ['internal', name, JSON.stringify(options)];
  return await superviseChild(
    { name, command: [...options.launcher, ...args], log, random: Math.random },
    signal,
  );
}

type LocalContext = {
  readonly parts: InnerParts;
  readonly log: Logger;
  readonly issueToken: (pod: Pod, ttl: number) => Promise<string>;
};

function localOptions(
  options: PartOptions,
  { parts, log, issueToken }: LocalContext,
): Parameters<typeof runLocal>[0] {
  const { directory, stateDirectory, extraPath, envoy, sockets, shop } = options;
  return {
    source: parts.source(directory, log.child('sources')),
    directory,
    stateDirectory,
    extraPath,
    envoy,
    agentSocket: sockets.agent,
    socket: `${innerSockets}/runtime.sock`,
    clusterDirectory,
    bootstrap: parts.bootstrap,
    issueToken,
    clock: Date.now,
    random: Math.random,
    newUid: randomUUID,
    firstUid: firstPodUser(),
    log: log.child('local'),
    // More at once do not start sooner: starting is work for the processors.
    concurrency: availableParallelism() * 2,
    ...(shop === undefined ? {} : { forward: { ...shop, path: `${innerSockets}/shop.sock` } }),
  };
}

/**
 * Among subordinate users all are our own. Among the machine's, the first 65,536 and those above may be people; so it is a range
 * that no distribution gives out.
 */
function firstPodUser(): number {
  const [, , count = '0'] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
  return Number(count) > 2_000_000_000 ? 1_900_000_000 : 10_000;
}

/** The platform's word on a pod, as it stands in the pod's token. */
function identityOf({ namespace, name, uid, workload, template }: Pod): PodIdentity {
  const { labels, serviceAccount } = template;
  return {
    namespace,
    serviceAccount,
    pod: { name, uid },
    node: 'local',
    workload,
    ...shownAs(labels, workload),
  };
}

/** Aborts when standard input ends: whoever started us is gone. For every process of a mesh but the first. */
export function parentEnd(): AbortSignal {
  const end = new AbortController();
  const ended = (): void => end.abort();
  process.stdin.on('end', ended).on('error', ended).resume();
  return end.signal;
}
