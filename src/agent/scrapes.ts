import { type Clock, sleep } from '../base/time.ts';
import { type Edge, edgeMetrics, edges, type Reading } from './edges.ts';
import { askEnvoy } from './envoy-admin.ts';
import {
  type Family,
  mergeFamilies,
  readFamilies,
  readSamples,
  type Sample,
  type Series,
  type Target,
} from './exposition.ts';

export type ScrapeTarget = Target & { readonly adminSocket: string };

/** When disposed, after its signal has aborted, nothing is asked any more. */
export type Scrapes = AsyncDisposable & {
  /** All sidecars' metrics, scraped now or a moment ago, and `more`, as one exposition. */
  readonly exposition: (more: readonly Family[]) => Promise<string>;
  /** Traffic in the last `seconds`, as far back as scrapes go. */
  readonly edges: (seconds: number) => readonly Edge[];
};

export type ScrapeOptions = {
  readonly targets: () => readonly ScrapeTarget[];
  readonly clock: Clock;
};

const period = 5_000;
/** A mesh that has just come up is looked at. */
const early = { period: 1_000, scrapes: 20 } as const;
/** Every scrape of the last minute is kept, and of the time before one each half minute. */
const recent = 65_000;
const sparse = 30_000;
const oldest = 15 * 60_000;
const fresh = 1_000;
const parallel = 8;

type Scrape = { readonly at: number; readonly byPod: ReadonlyMap<string, Pod> };
type Pod = { readonly families: readonly Family[]; readonly reading: Reading };
/** What is kept of a scrape: counters that edges are made of, by pod. */
type Kept = { readonly at: number; readonly byPod: ReadonlyMap<string, Reading> };

/** Scrapes every sidecar of the node each few seconds until the signal aborts. */
export function startScrapes(options: ScrapeOptions, signal: AbortSignal): Scrapes {
  const { clock } = options;
  let series = new Map<string, Series>();
  let last: Scrape = { at: Number.NEGATIVE_INFINITY, byPod: new Map() };
  let kept: readonly Kept[] = [];
  /** What each pod had counted when it was first seen: by an agent that was restarted, a lot. */
  let first: ReadonlyMap<string, Reading> = new Map();
  let running: Promise<Scrape> | undefined;

  const scrape = async (): Promise<Scrape> => {
    last = await scrapeAll({ ...options, signal }, last, series);
    const byPod = new Map([...last.byPod].map(([pod, { reading }]) => [pod, reading]));
    kept = thinned([...kept, { at: last.at, byPod }], last.at);
    first = new Map([...byPod].map(([pod, reading]) => [pod, first.get(pod) ?? reading]));
    // Series that are gone from the last scrape are no longer held here.
    series = new Map([...joined(byPod)].map(([key, sample]) => [key, sample.series]));
    return last;
  };
  const scrapeOnce = (): Promise<Scrape> => {
    running ??= scrape().finally(() => {
      running = undefined;
    });
    return running;
  };
  const loop = repeat(signal, scrapeOnce);

  return {
    exposition: async (more) => {
      const { byPod } = clock() - last.at < fresh ? last : await scrapeOnce();
      return mergeFamilies([...more, ...[...byPod.values()].flatMap(({ families }) => families)]);
    },
    edges: (seconds) => edgesOf(kept, first, seconds),
    [Symbol.asyncDispose]: async () => {
      await loop;
      // Somebody may have asked for metrics meanwhile.
      await running;
    },
  };
}

async function repeat(signal: AbortSignal, act: () => Promise<unknown>): Promise<void> {
  for (let turn = 0; !signal.aborted; turn++) {
    await act();
    await sleep(turn < early.scrapes ? early.period : period, signal);
  }
}

/** The newest scrape against the newest one that is old enough, else against the oldest; a pod that is younger, against its first. */
function edgesOf(kept: readonly Kept[], first: Kept['byPod'], seconds: number): readonly Edge[] {
  const after = kept.at(-1);
  const before = kept.findLast(({ at }) => after && at <= after.at - seconds * 1000) ?? kept[0];
  if (after === undefined || before === undefined || before.at >= after.at) return [];
  const begin = new Map(
    [...after.byPod.keys()].map((pod) => [pod, before.byPod.get(pod) ?? first.get(pod) ?? new Map()]),
  );
  return edges(joined(begin), joined(after.byPod), (after.at - before.at) / 1000);
}

/** Keys hold the pod's name, so those of two pods are never equal. */
function joined(byPod: Kept['byPod']): Reading {
  const all = new Map<string, Sample>();
  for (const reading of byPod.values()) for (const [key, sample] of reading) all.set(key, sample);
  return all;
}

/** Sorted by age. A clock set back makes scrapes from the future; they are let go. */
function thinned(all: readonly Kept[], now: number): readonly Kept[] {
  let previous = Number.NEGATIVE_INFINITY;
  return all.filter(({ at }) => {
    if (at > now || now - at > oldest) return false;
    if (now - at > recent && at - previous < sparse) return false;
    previous = at;
    return true;
  });
}

type Scraping = ScrapeOptions & { readonly signal: AbortSignal };

/** A sidecar that does not answer keeps its last numbers: it has neither lost nor made traffic that we know of. */
async function scrapeAll(options: Scraping, last: Scrape, series: Map<string, Series>): Promise<Scrape> {
  const targets = [...options.targets()];
  const byPod = new Map<string, Pod>();
  const worker = async (): Promise<void> => {
    for (let target = targets.pop(); target !== undefined; target = targets.pop()) {
      const key = `${target.namespace}/${target.pod}`;
      const pod = (await scrapePod(target, series, options.signal)) ?? last.byPod.get(key);
      if (pod !== undefined) byPod.set(key, pod);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return { at: options.clock(), byPod };
}

async function scrapePod(
  target: ScrapeTarget,
  series: Map<string, Series>,
  signal: AbortSignal,
): Promise<Pod | undefined> {
  try {
    const { status, body } = await askEnvoy(target.adminSocket, '/stats/prometheus?filter=^istio&usedonly', {
      signal,
    });
    if (status !== 200) return undefined;
    const families = readFamilies(body, target);
    return { families, reading: readSamples(families, edgeMetrics, series) };
  } catch {
    // It starts, or ends; its metrics come with the next scrape, or never.
    return undefined;
  }
}
