import type { Logger } from '../base/log.ts';
import type { Mesh, MeshSettings } from '../model/mesh.ts';
import type { Problem } from '../model/problem.ts';
import { createResolver } from '../resolve/resolve.ts';
import type { ObjectsByKind } from '../sources/specs.ts';
import type { LocatedProblem, Source, SourceEvent } from '../sources/types.ts';
import { createStore } from '../store/store.ts';
import type { ObjectsView } from './kinds.ts';

/** One moment of the mesh: what is there, what it means, and what is wrong with it. */
export type Moment = {
  readonly view: ObjectsView;
  readonly mesh: Mesh;
  /** What the sources found in files, with their places. */
  readonly refused: readonly LocatedProblem[];
  /** What resolve found in accepted objects. */
  readonly problems: readonly Problem[];
};

export type MeshLoop = {
  readonly sources: readonly Source[];
  readonly settings: MeshSettings;
  readonly log: Logger;
  /** Called with each new moment, the first one only after every source has said all it had. */
  readonly onMoment: (moment: Moment) => void;
  /** Mistakes that only the platform knows of, in accepted objects. */
  readonly check?: ((view: ObjectsView) => readonly Problem[]) | undefined;
  /** What went wrong in us with the newest objects; `undefined` when nothing did. */
  readonly onMistake: (mistake: string | undefined) => void;
  /** Milliseconds that one run of resolve took. */
  readonly onResolved: (ms: number) => void;
};

/** Follows the sources until the signal aborts. Batches that come while one is worked on become one moment. */
export async function followSources(loop: MeshLoop, signal: AbortSignal): Promise<void> {
  const store = createStore<ObjectsByKind>();
  const resolver = createResolver(loop.settings);
  const refused = loop.sources.map((): readonly LocatedProblem[] => []);
  const waiting = new Set(loop.sources);
  let scheduled = false;

  const rebuild = (): void => {
    scheduled = false;
    if (signal.aborted) return;
    try {
      const view = store.view();
      const began = performance.now();
      const { mesh, problems } = resolver.resolve(view);
      loop.onResolved(performance.now() - began);
      const more = loop.check?.(view) ?? [];
      loop.onMoment({ view, mesh, refused: refused.flat(), problems: [...problems, ...more] });
      loop.onMistake(undefined);
    } catch (error) {
      // Our own mistake, never the user's: the mesh stays as it was, and says so.
      loop.log.error('could not take in the objects; the last mesh stays', { error: stackOf(error) });
      loop.onMistake(`could not take in the objects, so what runs stays as it was: ${String(error)}`);
    }
  };
  const follow = async (source: Source, index: number): Promise<void> => {
    for await (const events of source.events(signal)) {
      store.apply(index === 0 ? events.filter(isNotRunHere) : events);
      for (const event of events) {
        if (event.kind === 'problems') refused[index] = event.problems;
        if (event.kind === 'synced') waiting.delete(source);
      }
      if (waiting.size > 0 || scheduled) continue;
      scheduled = true;
      setImmediate(rebuild);
    }
  };
  await Promise.all(loop.sources.map(follow));
}

/** A pod that the runtime runs is told of by the runtime, which knows its address; the user's file only asks for it. */
function isNotRunHere(event: SourceEvent): boolean {
  if (event.kind === 'applied') return event.object.kind !== 'Pod';
  return event.kind !== 'deleted' || event.ref.kind !== 'Pod';
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
