import { type Clock, sleep } from '../base/time.ts';
import { askEnvoy } from './envoy-admin.ts';

export type DrainOptions = {
  readonly adminSocket: string;
  readonly clock: Clock;
  /** Milliseconds at most, from now. */
  readonly limit: number;
};

/** By then callers have heard that the endpoint is gone. */
const propagation = 200;
const period = 50;
const active = 'http.inbound.downstream_rq_active';

/** Waits until the pod serves no request, seen twice in a row; false when the limit came first. An Envoy that is gone serves none. */
export async function drain(
  { adminSocket, clock, limit }: DrainOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const end = clock() + limit;
  await sleep(Math.min(propagation, limit), signal);
  for (let idle = 0; !signal.aborted && clock() < end; ) {
    idle = (await activeRequests(adminSocket)) === 0 ? idle + 1 : 0;
    if (idle === 2) return true;
    await sleep(period, signal);
  }
  return false;
}

async function activeRequests(adminSocket: string): Promise<number> {
  try {
    const { body } = await askEnvoy(adminSocket, `/stats?filter=^${active.replaceAll('.', '%5C.')}$`);
    return Number(/: (\d+)/.exec(body)?.[1] ?? 0);
  } catch {
    // Nobody is there to serve.
    return 0;
  }
}
