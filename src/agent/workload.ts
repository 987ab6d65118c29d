import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../base/errors.ts';
import { createLatest } from '../base/latest.ts';
import type { Logger } from '../base/log.ts';
import { backoff, type Clock, sleep } from '../base/time.ts';
import { proxyUid, signMethod, workloadKey } from '../model/names.ts';
import { joinSnapshots, type Snapshot } from '../snapshot/snapshot.ts';
import {
  type AdsConnection,
  type AdsServer,
  createSettlements,
  type Fact,
  type NodeId,
  type Relay,
  rpcCodes,
  serveAds,
} from '../xds/xds.ts';
import { capture } from './capture.ts';
import { type Certificate, keepCertificate } from './certificate.ts';
import { AgentError } from './errors.ts';
import type { WorkloadRequest } from './request.ts';
import { secretsOf } from './secrets.ts';

export type WorkloadState = {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  /** The SPIFFE ID of its certificate; `''` before there is one. */
  readonly identity: string;
  readonly certificate: { readonly notBefore: string; readonly notAfter: string } | null;
  readonly captured: boolean;
  /** The control plane has said all of its configuration at least once. */
  readonly configured: boolean;
  /** An Envoy is connected now. */
  readonly connected: boolean;
};

/** One meshed pod of this node. Ends when disposed; its Envoy then goes on with what it has. */
export type Workload = AsyncDisposable & {
  readonly request: WorkloadRequest;
  readonly renewToken: (token: string) => void;
  readonly state: () => WorkloadState;
  readonly certificate: () => Certificate | undefined;
  /** However long the directory's name is, this fits into a socket address. */
  readonly adminSocket: string;
};

export type WorkloadDeps = {
  readonly controlPlane: AdsConnection;
  /** A directory that only the agent may enter, where sockets are made before they are handed over. */
  readonly staging: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
};

/**
 * Gives the pod its socket and begins to look after it. Its Envoy is answered once the capture rules are written, a
 * certificate is there, and the whole configuration has come once; from then on always, whoever else is away.
 */
export async function openWorkload(request: WorkloadRequest, deps: WorkloadDeps): Promise<Workload> {
  const life = new AbortController();
  const directory = await openDirectory(request.directory);
  const key = workloadKey(request.pod.namespace, request.pod.name);
  const work: Work = {
    request,
    deps,
    key,
    signal: life.signal,
    ready: createLatest<Snapshot>(),
    streams: 0,
    captured: false,
    envoyVersion: '',
  };
  const relay = deps.controlPlane.relay({
    node: { id: key, cluster: '', metadata: {}, envoyVersion: '' },
    signal: life.signal,
  });
  const settlements = createSettlements(relay.settle);
  const connected = ({ envoyVersion }: NodeId): void => {
    settlements.connected();
    if (envoyVersion === work.envoyVersion) return;
    work.envoyVersion = envoyVersion;
    relay.describe({ id: key, cluster: '', metadata: {}, envoyVersion });
  };
  let server: AdsServer;
  try {
    server = await serve(work, directory, { observed: settlements.observed, connected });
  } catch (error) {
    life.abort();
    await directory.close();
    throw error;
  }
  const loops = [keepConfiguration(work, relay, settlements.received), keepIdentity(work)];
  return {
    request,
    renewToken: (token) => {
      work.request = { ...work.request, token };
    },
    state: () => stateOf(work),
    certificate: () => work.certificate,
    adminSocket: `/proc/self/fd/${directory.fd}/admin.sock`,
    [Symbol.asyncDispose]: async () => {
      life.abort();
      await server[Symbol.asyncDispose]();
      await rm(socketIn(directory), { force: true });
      await Promise.all(loops);
      await directory.close();
    },
  };
}

type Work = {
  request: WorkloadRequest;
  readonly deps: WorkloadDeps;
  readonly key: string;
  readonly signal: AbortSignal;
  /** What its Envoy shall have; nothing until that is whole. */
  readonly ready: ReturnType<typeof createLatest<Snapshot>>;
  certificate?: Certificate;
  secrets?: Snapshot;
  configuration?: Snapshot;
  streams: number;
  captured: boolean;
  /** Of the Envoy that connected last. */
  envoyVersion: string;
};

/** Until the control plane has said everything once, nothing is passed on: an Envoy would lose what it still has. */
async function keepConfiguration(
  work: Work,
  relay: Relay,
  received: (response: Parameters<ReturnType<typeof createSettlements>['received']>[0]) => void,
): Promise<void> {
  for await (const { snapshot, complete, responses } of relay.states) {
    for (const response of responses) received(response);
    if (!complete) continue;
    work.configuration = snapshot;
    publish(work);
  }
}

async function keepIdentity(work: Work): Promise<void> {
  const { deps, request, signal } = work;
  const { namespace } = request.pod;
  const options = {
    ...deps,
    sleep,
    namespace,
    serviceAccount: request.serviceAccount,
    sign: async (csr: string) =>
      await deps.controlPlane.callUnary(signMethod, { csr, token: work.request.token }, { signal }),
    onCertificate: (certificate: Certificate) => {
      work.certificate = certificate;
      work.secrets = secretsOf(certificate);
      publish(work);
    },
  };
  await keepCertificate(options, signal);
}

function publish({ ready, secrets, configuration }: Work): void {
  if (secrets && configuration) ready.set(joinSnapshots(secrets, configuration));
}

type Observer = {
  readonly observed: (facts: readonly Fact[]) => void;
  /** Its Envoy opened a stream. */
  readonly connected: (node: NodeId) => void;
};

async function serve(
  work: Work,
  directory: FileHandle,
  { observed, connected }: Observer,
): Promise<AdsServer> {
  const { staging, log } = work.deps;
  const staged = join(staging, `${randomUUID()}.sock`);
  const server = await serveAds({
    order: 'acked',
    // Owned where only the agent can enter, then moved: a pod's user can put nothing in its way.
    listen: { path: staged, owner: { uid: proxyUid, gid: 0 } },
    open: (node, signal) => {
      if (node.id !== work.key)
        return { code: rpcCodes.permissionDenied, message: `this socket belongs to ${work.key}` };
      connected(node);
      return follow(work, signal);
    },
    onFacts: (_, facts) => {
      for (const { kind, type, name, message } of facts) {
        if (kind === 'nacked')
          log.warn('Envoy refused a resource', { workload: work.key, type, name, reason: message });
      }
      observed(facts);
    },
    log,
  });
  try {
    await rename(staged, socketIn(directory));
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** On every stream anew: a pod that got another network namespace gets its rules there. */
async function* follow(work: Work, signal: AbortSignal): AsyncGenerator<Snapshot> {
  work.streams += 1;
  try {
    await captureUntilDone(work, signal);
    yield* work.ready.follow(signal);
  } finally {
    work.streams -= 1;
  }
}

async function captureUntilDone(work: Work, signal: AbortSignal): Promise<void> {
  const { log, random } = work.deps;
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      await capture(work.request.netns);
      work.captured = true;
      return;
    } catch (error) {
      work.captured = false;
      if (attempt === 0)
        log.error('the pod is not captured, so its Envoy is not answered', {
          workload: work.key,
          reason: reasonOf(error),
        });
      await sleep(backoff(attempt, 100, 2_000, random), signal);
    }
  }
}

function socketIn(directory: FileHandle): string {
  return `/proc/self/fd/${directory.fd}/xds.sock`;
}

/** Held open: whatever is done in it is done in this directory, wherever a path may lead. */
async function openDirectory(path: string): Promise<FileHandle> {
  let directory: FileHandle | undefined;
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    await directory.chmod(0o700);
    await directory.chown(proxyUid, 0);
    return directory;
  } catch (error) {
    await directory?.close();
    throw new AgentError('WEFT-2205', {
      message: `The workload's directory ${path} cannot be made: ${reasonOf(error)}.`,
      fix: 'Its parent must be writable for the agent, and the agent needs CAP_CHOWN.',
      cause: error,
    });
  }
}

function stateOf({ request, certificate, captured, configuration, streams }: Work): WorkloadState {
  const { namespace, name, uid } = request.pod;
  return {
    namespace,
    pod: name,
    uid,
    identity: certificate?.identity ?? '',
    certificate: certificate
      ? {
          notBefore: new Date(certificate.notBefore).toISOString(),
          notAfter: new Date(certificate.notAfter).toISOString(),
        }
      : null,
    captured,
    configured: configuration !== undefined,
    connected: streams > 0,
  };
}
