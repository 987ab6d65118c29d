import { type ControlPlaneMetrics, serveAdmin } from '../admin/admin.ts';
import { signMethod } from '../model/names.ts';
import type { Source } from '../sources/types.ts';
import { createAppliedLedger } from '../status/status.ts';
import { type Fact, serveAds } from '../xds/xds.ts';
import { followSources, type MeshLoop, type Moment } from './mesh-loop.ts';
import { createProxies } from './proxies.ts';
import { createReadModel } from './read-model.ts';
import { createSigning, type SigningOptions } from './signing.ts';

export type ControlPlaneOptions = SigningOptions & {
  /** Of this program. */
  readonly version: string;
  /** The user's first. */
  readonly sources: readonly Source[];
  readonly directory: string;
  /** Mistakes that only the platform knows of, in accepted objects. */
  readonly check?: MeshLoop['check'];
  /** Where node agents connect. */
  readonly socket: string;
  readonly adminSocket: string;
};

/** Runs the control plane until the signal aborts; resolves when its sockets are closed. */
export async function runControlPlane(options: ControlPlaneOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options;
  const ledger = createAppliedLedger();
  const counters = createCounters();
  const proxies = createProxies({ ledger, clock, log: log.child('translate') });
  const signing = await createSigning(options, signal);
  let moment: Moment | undefined;
  let mistake: string | undefined;
  const readModel = createReadModel({
    ...options,
    ledger,
    proxies,
    expiries: signing.expiries,
    startedAt: clock(),
    moment: () => moment,
    mistake: () => mistake,
    issuerExpires: signing.issuerExpires,
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
    methods: { [signMethod]: signing.sign },
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
      onMistake: (text) => {
        mistake = text;
      },
      onMoment: (next) => {
        moment = next;
        proxies.refresh(next.mesh);
        readModel.wake();
      },
    },
    signal,
  );
}

type Counters = {
  readonly fact: (fact: Fact) => void;
  readonly resolved: (ms: number) => void;
  readonly show: () => Pick<ControlPlaneMetrics, 'resourcesSent' | 'nacks' | 'resolves'>;
};

function createCounters(): Counters {
  const counts = { resourcesSent: 0, nacks: 0, resolves: 0, resolveMs: 0 };
  return {
    fact: ({ kind }) => {
      if (kind === 'sent') counts.resourcesSent++;
      if (kind === 'nacked') counts.nacks++;
    },
    resolved: (ms) => {
      counts.resolves++;
      counts.resolveMs += ms;
    },
    show: () => {
      const { resourcesSent, nacks, resolves, resolveMs } = counts;
      return { resourcesSent, nacks, resolves: { count: resolves, seconds: resolveMs / 1000 } };
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
