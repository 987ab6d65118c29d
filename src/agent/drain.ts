import { type Clock, sleep } from '../base/time.ts';
import { type AdminPatience, askEnvoy, isGone } from './envoy-admin.ts';

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
/** Every Envoy has it: an answer with it is whole, and what is missing beside it does not exist. */
const always = 'server.live';
const page = `/stats?filter=${encodeURIComponent(`^(${active}|${always})$`.replaceAll('.', '\\.'))}`;

/**
 * Waits until the pod serves no request, seen twice in a row; false when the limit came first. An Envoy that is gone serves
 * none; of one that does not say, nothing is assumed.
 */
export async function drain(
  { adminSocket, clock, limit }: DrainOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const end = clock() + limit;
  await sleep(Math.min(propagation, limit), signal);
  for (let idle = 0; !signal.aborted && clock() < end; ) {
    idle = (await isIdle(adminSocket, { timeout: end - clock(), signal })) ? idle + 1 : 0;
    if (idle === 2) return true;
    await sleep(period, signal);
  }
  return false;
}

async function isIdle(adminSocket: string, patience: AdminPatience): Promise<boolean> {
  try {
    const { status, body } = await askEnvoy(adminSocket, page, patience);
    const lines = body.split(/\r?\n/);
    if (status !== 200 || !lines.some((line) => line.startsWith(`${always}: `))) return false;
    // The number is there from the first listener for requests on.
    return !body.includes(active) || lines.includes(`${active}: 0`);
  } catch (error) {
    return isGone(error);
  }
}
