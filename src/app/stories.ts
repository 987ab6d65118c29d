import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import {
  type Definition,
  manifestFiles,
  type Story,
  type StoryRequest,
  type StoryResult,
} from '../cli/cli.ts';
import { type ObjectRef, refKey } from '../model/object-ref.ts';
import { packageRoot } from './paths.ts';

const demo: string = join(packageRoot, 'demo');

/** One entry of `demo/stories/stories.yaml`. */
type Entry = { readonly name: string; readonly about: string; readonly look: string };

async function readEntries(): Promise<readonly Entry[]> {
  return parse(await readFile(join(demo, 'stories/stories.yaml'), 'utf8'));
}

export async function listStories(): Promise<readonly Story[]> {
  return (await readEntries()).map(({ name, about }) => ({ name, summary: about }));
}

/**
 * `break` and `fix` write the story's objects over those of the directory; `reset` puts the demo's own back, and removes
 * what the demo never had. Files that the user added stay.
 */
export async function applyStory({ name, action, directory }: StoryRequest): Promise<StoryResult> {
  const story = (await readEntries()).find((entry) => entry.name === name);
  const done = action === 'reset' ? await reset(name, directory) : await play(name, action, directory);
  return { ...done, next: story?.look ?? 'weft status' };
}

type Done = Omit<StoryResult, 'next'>;

async function play(name: string, action: 'break' | 'fix', directory: string): Promise<Done> {
  const { listDefinitions, writeManifest } = await manifestFiles();
  const here = await listDefinitions(directory);
  const applied = new Set<string>();
  for (const manifest of await readStory(name, action)) {
    applied.add(await writeManifest(directory, manifest, definitionOf(manifest.ref, here)?.file));
  }
  return { applied: [...applied], removed: [] };
}

async function reset(name: string, directory: string): Promise<Done> {
  const { listDefinitions, writeManifest, removeManifest } = await manifestFiles();
  const planted = [...(await readStory(name, 'break')), ...(await readStory(name, 'fix'))];
  const refs = new Map(planted.map(({ ref }) => [refKey(ref), ref]));
  const baseline = await listDefinitions(join(demo, 'mesh'));
  const here = await listDefinitions(directory);
  const [applied, removed] = [new Set<string>(), new Set<string>()];
  for (const ref of refs.values()) {
    const [now, first] = [definitionOf(ref, here), definitionOf(ref, baseline)];
    if (first !== undefined) applied.add(await writeManifest(directory, first, now?.file));
    else if (now !== undefined) {
      await removeManifest(directory, now);
      removed.add(now.file);
    }
  }
  return { applied: [...applied], removed: [...removed] };
}

async function readStory(name: string, action: 'break' | 'fix') {
  const { splitManifests } = await manifestFiles();
  return splitManifests(await readFile(join(demo, 'stories', name, `${action}.yaml`), 'utf8'));
}

function definitionOf(ref: ObjectRef, definitions: readonly Definition[]): Definition | undefined {
  return definitions.find((definition) => refKey(definition.ref) === refKey(ref));
}
