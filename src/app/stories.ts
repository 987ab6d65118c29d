import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stories } from '../../demo/stories.ts';
import type { Story, StoryRequest, StoryResult } from '../cli/cli.ts';
import {
  type Definition,
  listDefinitions,
  removeManifest,
  splitManifests,
  writeManifest,
} from '../cli/manifest-files.ts';
import { refKey } from '../model/object-ref.ts';
import { packageRoot } from './paths.ts';

const demo: string = join(packageRoot, 'demo');

export async function listStories(): Promise<readonly Story[]> {
  return stories.map(({ name, about }) => ({ name, summary: about }));
}

/**
 * `break` and `fix` write the story's objects over those of the directory; `reset` puts the demo's own back, and removes
 * what the demo never had. Files that the user added stay.
 */
export async function applyStory({ name, action, directory }: StoryRequest): Promise<StoryResult> {
  const next = stories.find((story) => story.name === name)?.look ?? 'weft status';
  const here = await listDefinitions(directory);
  const own = (text: string, definitions: readonly Definition[]) =>
    splitManifests(text).map((manifest) => ({
      manifest,
      old: definitions.find(({ ref }) => refKey(ref) === refKey(manifest.ref)),
    }));
  if (action !== 'reset') {
    const text = await readFile(join(demo, 'stories', name, `${action}.yaml`), 'utf8');
    const applied: string[] = [];
    for (const { manifest, old } of own(text, here))
      applied.push(await writeManifest(directory, manifest, old?.file));
    return { applied: [...new Set(applied)], removed: [], next };
  }
  const planted = [await readStory(name, 'break'), await readStory(name, 'fix')].flatMap(splitManifests);
  const baseline = await listDefinitions(join(demo, 'mesh'));
  const applied = new Set<string>();
  const removed = new Set<string>();
  for (const { ref } of planted) {
    const old = here.find((definition) => refKey(definition.ref) === refKey(ref));
    const first = baseline.find((definition) => refKey(definition.ref) === refKey(ref));
    if (first !== undefined) applied.add(await writeManifest(directory, first, old?.file));
    else if (old !== undefined && !removed.has(old.file)) {
      await removeManifest(directory, old);
      removed.add(old.file);
    }
  }
  return { applied: [...applied], removed: [...removed], next };
}

async function readStory(name: string, action: 'break' | 'fix'): Promise<string> {
  return await readFile(join(demo, 'stories', name, `${action}.yaml`), 'utf8');
}

/** Fills a new directory with the demo's YAML. One that has files already is left as it is. */
export async function copyDemo(
  directory: string,
  copy: (from: string, to: string) => Promise<void>,
): Promise<void> {
  const from = join(demo, 'mesh');
  for (const file of (await readdir(from)).sort()) await copy(join(from, file), join(directory, file));
}
