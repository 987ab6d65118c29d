import { readFile } from 'node:fs/promises';
import { type ControlPlaneMetrics, serveAdmin } from '../admin/admin.ts';
import type { Logger } from '../base/log.ts';
import type { Clock } from '../base/time.ts';
import {
  type Authority,
  IdentityError,
  loadOrCreateAuthority,
  type TokenKeys,
  verifyToken,
} from '../identity/identity.ts';
import type { MeshSettings } from '../model/mesh.ts';
import type { Source } from '../sources/types.ts';
import { createAppliedLedger } from '../status/status.ts';
import { callRefused, type Fact, serveAds } from '../xds/xds.ts';
import { followSources, type MeshLoop, type Moment } from './mesh-loop.ts';
import { createProxies } from './proxies.ts';
import { createReadModel } from './read-model.ts';

export type ControlPlaneOptions = {
  /** The user's first. */
  readonly sources: readonly Source[];
  readonly directory: string;
  readonly settings: MeshSettings;
  /** Mistakes that only the platform knows of, in accepted objects. */
  readonly check?: MeshLoop['check'];
  /** Where node agents connect. */
  readonly socket: string;
  readonly adminSocket: string;
  /** The CA's own directory. */
  readonly authorityDirectory: string;
  /** File with the public keys of who signs pod tokens. */
  readonly tokenKeysFile: string;
  /** Milliseconds a workload's certificate lives. */
  readonly certificateTtl: number;
  readonly clock: Clock;
  readonly log: Logger;
};

/** Runs the control plane until the signal aborts; resolves when its sockets are closed. */
export async function runControlPlane(options: ControlPlaneOptions, signal: AbortSignal): Promise<void> {
  const { settings, clock, log } = options;
  const ledger = createAppliedLedger();
  const counters = createCounters();
  const proxies = createProxies({ ledger, clock, log: log.child('translate') });
  const authority = await loadOrCreateAuthority({
    directory: options.authorityDirectory,
    trustDomain: settings.trustDomain,
    clock,
    log: log.child('identity'),
    leafLifetime: options.certificateTtl,
  });
  const expiries = new Map<string, number>();
  let moment: Moment | undefined;
  const readModel = createReadModel({
    ...options,
    ledger,
    proxies,
    expiries,
    startedAt: clock(),
    moment: () => moment,
    issuerExpires: authority.issuerExpires,
    metrics: counters.show,
  });
  await using _ads = await serveAds({
    listen: { path: options.socket },
    order: 'written',
    open: proxies.open,
    onNode: proxies.describe,
    onFacts: (node, facts) => {
      for (const fact of facts) {
        counters.fact(fact);
        ledger.fact(node, ledgerFact(fact), clock());
      }
      readModel.wake();
    },
    methods: { '/weft.agent.v1.NodeAgent/SignCertificate': signer(options, authority, expiries) },
    log: log.child('xds'),
  });
  await using _admin = await serveAdmin({
    path: options.adminSocket,
    read: readModel,
    log: log.child('admin'),
  });
  log.info('control plane is up', { directory: options.directory });
  await followSources(
    {
      ...options,
      log: log.child('resolve'),
      onResolved: counters.resolved,
      onMoment: (next) => {
        moment = next;
        proxies.refresh(next.mesh);
        readModel.wake();
      },
    },
    signal,
  );
}

/** The one call that makes a certificate. Who may have which is in the token; the request only proves a key. */
function signer(options: ControlPlaneOptions, authority: Authority, expiries: Map<string, number>) {
  return async (body: unknown): Promise<unknown> => {
    const { csr, token } = Object(body) as { csr?: unknown; token?: unknown };
    if (typeof csr !== 'string' || typeof token !== 'string')
      throw callRefused('invalid-argument', 'a request has a csr and a token, both strings');
    // Read anew each time: keys rotate, and asking is rare.
    const keys: TokenKeys = JSON.parse(await readFile(options.tokenKeysFile, 'utf8'));
    const now = options.clock();
    const refused = (error: unknown): never => {
      if (!(error instanceof IdentityError)) throw error;
      options.log.warn('certificate refused', { code: error.code, reason: error.message });
      throw callRefused('permission-denied', error.message, { cause: error });
    };
    const pod = await verifyToken({ token, keys, now }).catch(refused);
    const signed = await authority.sign({ csr, token: pod, now }).catch(refused);
    expiries.set(`${pod.namespace}/${pod.pod.name}`, signed.notAfter);
    return signed;
  };
}

type Counters = {
  readonly fact: (fact: Fact) => void;
  readonly resolved: (ms: number) => void;
  readonly show: () => Pick<ControlPlaneMetrics, 'pushes' | 'nacks' | 'resolves'>;
};

function createCounters(): Counters {
  const counts = { pushes: 0, nacks: 0, resolves: 0, resolveMs: 0 };
  return {
    fact: ({ kind }) => {
      if (kind === 'sent') counts.pushes++;
      if (kind === 'nacked') counts.nacks++;
    },
    resolved: (ms) => {
      counts.resolves++;
      counts.resolveMs += ms;
    },
    show: () => {
      const { pushes, nacks, resolves, resolveMs } = counts;
      return { pushes, nacks, resolves: { count: resolves, seconds: resolveMs / 1000 } };
    },
  };
}

function ledgerFact({ kind, type, name, version, message = '' }: Fact) {
  switch (kind) {
    case 'nacked':
      return { kind, type, name, version, message };
    case 'removed':
      return { kind, type, name };
    case 'sent':
    case 'acked':
      return { kind, type, name, version };
    default:
      return kind satisfies never;
  }
}
