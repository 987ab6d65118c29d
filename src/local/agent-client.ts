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
  /**
   * Resolves when the agent has taken it, however often it had to be told; or when the signal aborts. After each try in vain
   * `waiting` hears why it was.
   */
  readonly add: (
    workload: AgentWorkload,
    signal: AbortSignal,
    waiting: (why: string) => void,
  ) => Promise<void>;
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

type Entry = {
  readonly workload: AgentWorkload;
  token: string;
  issuedAt: number;
  taken: boolean;
  /** The agent answered the last call about it, but not as it should. */
  refused: boolean;
};

const period = 2_000;
const retryPeriod = 100;
const tokenLifetime = 600_000;
const patience = 6_000;

export function createRegistry(options: RegistryOptions): Registry {
  const { socket, clock, log, signal } = options;
  const entries = new Map<string, Entry>();
  const call = createCaller(socket);
  const witness = createWitness(log);

  const tell = async (entry: Entry, method: string, message: Message = {}): Promise<Outcome> => {
    try {
      const answer = await call(method, `${pathOf(entry.workload)}${message.page ?? ''}`, message.body);
      return { answer, trouble: witness(entry) };
    } catch (error) {
      return { trouble: witness(entry, error) };
    }
  };
  const put = async (entry: Entry): Promise<string> => {
    const { workload } = entry;
    if (entry.token === '' || clock() - entry.issuedAt > tokenLifetime * 0.8) {
      entry.token = await workload.token(tokenLifetime);
      entry.issuedAt = clock();
    }
    const { pod, serviceAccount, netns, directory } = workload;
    const body = { pod, serviceAccount, token: entry.token, netns, directory };
    const { trouble } = await tell(entry, 'PUT', { body });
    entry.taken ||= trouble === '';
    return trouble;
  };
  const entryOf = (workload: AgentWorkload): Entry => entries.get(keyOf(workload)) ?? newEntry(workload);

  void repeat(signal, async () => {
    for (const entry of entries.values()) if (entry.taken) await put(entry);
  });

  return {
    add: async (workload, stop, waiting) => {
      const entry = newEntry(workload);
      entries.set(keyOf(workload), entry);
      while (!stop.aborted && !signal.aborted) {
        const trouble = await put(entry);
        if (entry.taken) return;
        waiting(trouble);
        await sleep(retryPeriod, stop);
      }
    },
    drain: async (workload) => {
      const { answer } = await tell(entryOf(workload), 'POST', { page: '/drain' });
      if (answer && 'idle' in answer && answer.idle === false)
        log.warn('requests were still under way when the app was told to end', { pod: keyOf(workload) });
    },
    remove: async (workload) => {
      const entry = entryOf(workload);
      entries.delete(keyOf(workload));
      // An agent that is away forgets the pod by itself: it is not told of it again.
      await tell(entry, 'DELETE');
    },
  };
}

async function repeat(signal: AbortSignal, act: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await sleep(period, signal);
    if (!signal.aborted) await act();
  }
}

function newEntry(workload: AgentWorkload): Entry {
  return { workload, token: '', issuedAt: 0, taken: false, refused: false };
}

function keyOf({ pod }: AgentWorkload): string {
  return `${pod.namespace}/${pod.name}`;
}

function pathOf({ pod }: AgentWorkload): string {
  return `/workloads/${encodeURIComponent(pod.namespace)}/${encodeURIComponent(pod.name)}`;
}

type Message = { readonly page?: string; readonly body?: object };
/** `trouble` is `''` when the agent did as it was asked. */
type Outcome = { readonly answer?: object; readonly trouble: string };

/**
 * Says once that the agent is away and once that it is back; and of each pod, once that the agent refuses it and once that it
 * no longer does. Gives what is the matter, in words.
 */
function createWitness(log: Logger): (entry: Entry, error?: unknown) => string {
  let away = false;
  return (entry, error) => {
    const reason = reasonOf(error);
    const refused = error instanceof LocalError;
    if (error !== undefined && !refused) {
      if (!away) log.warn('the node agent does not answer; pods go on without it', { reason });
      away = true;
      return `the node agent does not answer: ${reason}`;
    }
    if (away) log.info('the node agent answers again');
    away = false;
    const pod = keyOf(entry.workload);
    if (refused && !entry.refused) log.warn('the node agent refuses a pod', { pod, reason });
    if (!refused && entry.refused) log.info('the node agent refuses a pod no longer', { pod });
    entry.refused = refused;
    return refused ? reason : '';
  };
}

type Caller = (method: string, path: string, body?: object) => Promise<object>;

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
            if (statusCode < 300 || (method === 'DELETE' && statusCode === 404)) resolve(parsed(said));
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

/** What is no JSON has nothing in it that is read here. */
function parsed(text: string): object {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

function refusal(what: string, answer: string): LocalError {
  return new LocalError('WEFT-2504', {
    message: `The node agent answered ${what} with: ${answer}`,
    fix: 'See `weft logs agent`.',
  });
}
