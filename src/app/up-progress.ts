import { request } from 'node:http';
import type { UpScreen } from '../cli/cli.ts';

/** A pod that is not ready, and why. */
export type WaitingPod = { readonly name: string; readonly message: string; readonly restarts: number };

/** A mesh on its way up, as its sockets tell; absent parts do not answer yet. */
export type Progress = {
  readonly pods?: {
    readonly ready: number;
    readonly total: number;
    readonly meshed: number;
    readonly waiting: readonly WaitingPod[];
  };
  readonly proxies?: { readonly inSync: number; readonly connected: number; readonly total: number };
  readonly problems: number;
};

export async function readProgress(sockets: string): Promise<Progress> {
  const [runtime, status] = await Promise.all([
    askJson(`${sockets}/runtime.sock`, '/v1/workloads'),
    askJson(`${sockets}/control-plane.admin.sock`, '/v1/status'),
  ]);
  // Before everything was read, none may only mean not yet.
  const pods = fieldIn(runtime, 'synced') === true ? listIn(runtime, 'workloads') : undefined;
  const proxies = fieldIn(status, 'proxies');
  const problems = fieldIn(status, 'problems');
  return {
    ...(pods === undefined ? {} : { pods: countPods(pods) }),
    ...(proxies === undefined
      ? {}
      : {
          proxies: {
            inSync: numberIn(proxies, 'inSync'),
            connected: numberIn(proxies, 'connected'),
            total: numberIn(proxies, 'total'),
          },
        }),
    problems: numberIn(problems, 'errors') + numberIn(problems, 'warnings'),
  };
}

/** Everything runs that should. A directory without anything to run is up at once. */
export function isUp({ pods, proxies }: Progress): boolean {
  if (pods === undefined || proxies === undefined) return false;
  return pods.ready === pods.total && proxies.inSync === proxies.total && proxies.total >= pods.meshed;
}

/** Traffic of the last while: how many edges there are, how many of them speak mTLS, and how much of it went well. */
export async function readTraffic(
  sockets: string,
  window: string,
): Promise<Pick<UpScreen, 'edges' | 'successRate'>> {
  const answer = await askJson(`${sockets}/agent.sock`, `/edges?window=${window}`);
  const edges: readonly unknown[] = Array.isArray(answer) ? answer : (listIn(answer, 'edges') ?? []);
  const requests = edges.map((edge) => numberIn(edge, 'rps'));
  const all = requests.reduce((sum, rps) => sum + rps, 0);
  const good = edges.reduce<number>(
    (sum, edge) => sum + numberIn(edge, 'rps') * numberIn(edge, 'successRate'),
    0,
  );
  // Who calls from outside has no certificate to show; and of calls that reached nobody, nobody can tell.
  const inside = edges.filter(
    (edge) => fieldIn(edge, 'source') !== 'unknown' && fieldIn(edge, 'mtls') !== null,
  );
  return {
    edges: { mtls: inside.filter((edge) => fieldIn(edge, 'mtls') === true).length, total: inside.length },
    ...(all > 0 ? { successRate: good / all } : {}),
  };
}

function countPods(workloads: readonly unknown[]): NonNullable<Progress['pods']> {
  const waiting = workloads
    .filter((workload) => fieldIn(workload, 'ready') !== true)
    .map((workload) => ({
      name: `${fieldIn(workload, 'namespace')}/${fieldIn(workload, 'pod')}`,
      message: String(fieldIn(workload, 'message')),
      restarts: numberIn(workload, 'restarts'),
    }));
  const meshed = workloads.filter((workload) => fieldIn(workload, 'meshed') === true).length;
  return { ready: workloads.length - waiting.length, total: workloads.length, meshed, waiting };
}

/** `undefined` when nobody answers, or in another language. */
async function askJson(socketPath: string, path: string): Promise<unknown> {
  try {
    return JSON.parse((await askText(socketPath, path)) ?? 'null') ?? undefined;
  } catch {
    // No JSON: as good as no answer.
    return undefined;
  }
}

/** The body of a whole answer that says yes; `undefined` without one. Never rejects. */
export async function askText(socketPath: string, path: string): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const sent = request({ socketPath, path, agent: false, timeout: 2_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      // Comes after `end` as well, and then changes nothing.
      response.on('error', () => resolve(undefined)).on('close', () => resolve(undefined));
      response.on('end', () => resolve(response.statusCode === 200 ? text : undefined));
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(undefined));
    sent.end();
  });
}

function fieldIn(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

function numberIn(value: unknown, name: string): number {
  const field = fieldIn(value, name);
  return typeof field === 'number' ? field : 0;
}

function listIn(value: unknown, name: string): readonly unknown[] | undefined {
  const field = fieldIn(value, name);
  return Array.isArray(field) ? field : undefined;
}
