import { request } from 'node:http';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { type Clock, sleep } from '../base/time.ts';
import { LocalError } from './errors.ts';

/** A meshed pod, as the node agent is told of it. */
export type AgentWorkload = {
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly serviceAccount: string;
  readonly netns: string;
  readonly directory: string;
  /** A fresh pod-bound token that lives for `ttl` milliseconds. */
  readonly token: (ttl: number) => Promise<string>;
};

/** The node agent as the kubelet sees it: told again and again of every pod, so that a new agent soon knows them all. */
export type Registry = {
  /** Resolves when the agent has taken it, however often it had to be told; or when the signal aborts. */
  readonly add: (workload: AgentWorkload, signal: AbortSignal) => Promise<void>;
  /** Waits, but not for ever, until no request is under way in the pod's sidecar. Never rejects. */
  readonly drain: (workload: AgentWorkload) => Promise<void>;
  readonly remove: (workload: AgentWorkload) => Promise<void>;
};

export type RegistryOptions = {
  readonly socket: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
};

type Entry = { readonly workload: AgentWorkload; token: string; issuedAt: number; taken: boolean };

const period = 2_000;
const retryPeriod = 100;
const tokenLifetime = 600_000;
const patience = 6_000;

export function createRegistry(options: RegistryOptions): Registry {
  const { socket, clock, signal } = options;
  const call = createCaller(socket);
  const entries = new Map<string, Entry>();
  const heard = createWitness(options.log);

  const put = async (path: string, entry: Entry): Promise<void> => {
    const { workload } = entry;
    if (entry.token === '' || clock() - entry.issuedAt > tokenLifetime * 0.8) {
      entry.token = await workload.token(tokenLifetime);
      entry.issuedAt = clock();
    }
    const { pod, serviceAccount, netns, directory } = workload;
    try {
      await call('PUT', path, { pod, serviceAccount, token: entry.token, netns, directory });
      entry.taken = true;
      heard.answered();
    } catch (error) {
      heard.silent(error);
    }
  };

  void repeat(signal, async () => {
    for (const [path, entry] of entries) if (entry.taken) await put(path, entry);
  });

  return {
    add: async (workload, stop) => {
      const entry: Entry = { workload, token: '', issuedAt: 0, taken: false };
      entries.set(pathOf(workload), entry);
      while (!entry.taken && !stop.aborted && !signal.aborted) {
        await put(pathOf(workload), entry);
        if (!entry.taken) await sleep(retryPeriod, stop);
      }
    },
    drain: async (workload) => {
      await call('POST', `${pathOf(workload)}/drain`).catch(heard.silent);
    },
    remove: async (workload) => {
      entries.delete(pathOf(workload));
      // An agent that is away forgets the pod by itself: it is not told of it again.
      await call('DELETE', pathOf(workload)).catch(heard.silent);
    },
  };
}

async function repeat(signal: AbortSignal, act: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await sleep(period, signal);
    if (!signal.aborted) await act();
  }
}

function pathOf({ pod }: AgentWorkload): string {
  return `/workloads/${encodeURIComponent(pod.namespace)}/${encodeURIComponent(pod.name)}`;
}

/** Says once that the agent is away, and once that it is back. */
function createWitness(log: Logger): { answered: () => void; silent: (error: unknown) => void } {
  let away = false;
  return {
    answered: () => {
      if (away) log.info('the node agent answers again');
      away = false;
    },
    silent: (error) => {
      if (!away)
        log.warn('the node agent does not answer; pods go on without it', { reason: reasonOf(error) });
      away = true;
    },
  };
}

type Caller = (method: string, path: string, body?: object) => Promise<void>;

function createCaller(socketPath: string): Caller {
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      // A connection each: one that was kept may be closed by the other side just when it is used again.
      const sent = request(
        { socketPath, agent: false, method, path, headers, timeout: patience },
        (response) => {
          let said = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            said += chunk.slice(0, 1_000);
          });
          response.on('end', () => {
            const { statusCode = 0 } = response;
            if (statusCode < 300 || (method === 'DELETE' && statusCode === 404)) resolve();
            else reject(refusal(`${method} ${path}`, `${statusCode} ${said.trim()}`));
          });
          response.on('error', reject);
        },
      );
      sent.on('timeout', () => sent.destroy(refusal(`${method} ${path}`, `no answer in ${patience} ms`)));
      sent.on('error', reject);
      sent.end(text);
    });
}

function refusal(what: string, answer: string): LocalError {
  return new LocalError('WEFT-2504', {
    message: `The node agent answered ${what} with: ${answer}`,
    fix: 'See `weft logs agent`.',
  });
}
