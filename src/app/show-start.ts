import { join, relative } from 'node:path';
import { sleep } from '../base/time.ts';
import { renderUpScreen, type UpScreen } from '../cli/cli.ts';
import type { RunState } from './run-state.ts';
import type { Run } from './up.ts';
import { isUp, type Progress, readProgress, readTraffic, type WaitingPod } from './up-progress.ts';

export type Showing = {
  /** Where the mesh's sockets are. */
  readonly sockets: string;
  readonly state: RunState;
  readonly signal: AbortSignal;
};

/** A line for each step that is done, then the screen. */
export async function showStart(run: Run, showing: Showing): Promise<void> {
  const { sockets, state, signal } = showing;
  const startedAt = performance.now();
  run.say('ok', `namespaces of its own, first process ${state.pid}`);
  const progress = await awaitStart(run, showing);
  if (signal.aborted) return;
  const readyAt = performance.now();
  const { ready = 0, total = 0 } = progress.pods ?? {};
  const seconds = ((readyAt - startedAt) / 1000).toFixed(1);
  run.say(ready === total ? 'ok' : 'warn', `pods ready ${ready} of ${total} after ${seconds} s`);
  const traffic = await firstTraffic(sockets, readyAt, signal);
  if (signal.aborted) return;
  const screen: UpScreen = {
    versions: { weft: run.wanted.version, envoy: run.envoy.version },
    title: run.wanted.title,
    proxies: { inSync: progress.proxies?.inSync ?? 0, total: progress.proxies?.total ?? 0 },
    ...traffic,
    problems: progress.problems,
    addresses: addressesOf(state, run.io.cwd),
    next: run.wanted.next,
  };
  run.io.stdout.write(`\n${renderUpScreen(screen, run.style)}`);
}

/** After this many milliseconds without a step forward, pods that are not ready are named. */
const patience = 5_000;
/** And after this many the screen comes, whatever is not ready. */
const slow = 30_000;

/** Until everything runs, or nothing is left to wait for. */
async function awaitStart(run: Run, { sockets, signal }: Showing): Promise<Progress> {
  const startedAt = performance.now();
  const told = new Set<string>();
  let furthest = -1;
  let movedAt = startedAt;
  for (;;) {
    const progress = await readProgress(sockets);
    if (signal.aborted || isUp(progress)) return progress;
    const { ready = 0, total = '?', waiting = [] } = progress.pods ?? {};
    const inSync = progress.proxies?.inSync ?? 0;
    const now = performance.now();
    // A pod that comes and goes is told of by its name, not by numbers that go up and down.
    if (ready + inSync > furthest) {
      run.say('wait', `pods ready ${ready} of ${total}, proxies in sync ${inSync}`);
      furthest = ready + inSync;
      movedAt = now;
    }
    if (now - movedAt > patience) {
      for (const line of newLines(waiting, told)) run.say('warn', line);
      const hopeless = waiting.length > 0 && waiting.every(({ restarts }) => restarts > 1);
      if (hopeless || now - startedAt > slow) return progress;
    }
    await sleep(150, signal);
  }
}

/** Each pod once, and once more when it turns out that its app ends. */
function newLines(waiting: readonly WaitingPod[], told: Set<string>): readonly string[] {
  return waiting.flatMap(({ name, message, restarts }) => {
    const key = `${name} ${restarts > 0}`;
    if (told.has(key)) return [];
    told.add(key);
    return [`pod ${name} is not ready: ${message || 'starting'}`];
  });
}

/** Scrapes are a second apart at first: what is younger than this may still be compared with one of before. */
const blur = 2_500;

/**
 * Some pods call others by themselves, some never do: a moment is waited for the first calls, until no new edge shows. What
 * failed while the mesh was starting is no sign of how it does: then only requests since `readyAt` count.
 */
export async function firstTraffic(
  sockets: string,
  readyAt: number,
  signal: AbortSignal,
): ReturnType<typeof readTraffic> {
  let traffic = await readTraffic(sockets, '10s');
  for (let turn = 0; turn < 3 && !signal.aborted; turn++) {
    await sleep(1_100, signal);
    const edges = traffic.edges.total;
    traffic = await readTraffic(sockets, '10s');
    if (edges > 0 && traffic.edges.total === edges) break;
  }
  const { edges, successRate } = traffic;
  if (successRate === undefined || successRate === 1 || signal.aborted) return traffic;
  await sleep(Math.max(0, blur + 1_000 - (performance.now() - readyAt)), signal);
  const seconds = (performance.now() - readyAt - blur) / 1000;
  const since = await readTraffic(sockets, `${Math.max(1, seconds).toFixed(1)}s`);
  return { edges, ...(since.successRate === undefined ? {} : { successRate: since.successRate }) };
}

function addressesOf({ shopUrl, metricsUrl, directory }: RunState, cwd: string): UpScreen['addresses'] {
  const token = relative(cwd, join(directory, '.weft/metrics-token'));
  return [
    ...(shopUrl === undefined ? [] : [{ name: 'Shop', url: shopUrl }]),
    ...(metricsUrl === undefined ? [] : [{ name: 'Metrics', url: `${metricsUrl} (bearer: ${token})` }]),
  ];
}
