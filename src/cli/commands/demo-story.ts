import { type Call, flagOption } from '../call.ts';
import { meshToChange } from '../choose-mesh.ts';
import { didYouMean } from '../closest.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import type { StoryAction } from '../io.ts';
import { print } from '../output.ts';

export async function run(call: Call): Promise<ExitCode> {
  const [name] = call.args;
  const stories = await call.doors.listStories();
  const action = chosenAction(call);
  if (name === undefined || action === undefined) {
    const shown = stories.filter((story) => name === undefined || story.name === name);
    if (name !== undefined && shown.length === 0)
      throw unknownStory(
        name,
        stories.map((story) => story.name),
      );
    if (action !== undefined) throw noStory(action);
    await print(call.io, call.format, {
      data: { apiVersion: 'weft.dev/v1alpha1', kind: 'StoryList', items: shown },
      header: ['STORY', 'ABOUT'],
      rows: shown.map((story) => [story.name, story.summary]),
      names: shown.map((story) => story.name),
      empty: 'no stories',
    });
    return exitCodes.ok;
  }
  if (!stories.some((story) => story.name === name)) {
    throw unknownStory(
      name,
      stories.map((story) => story.name),
    );
  }
  const { directory } = await meshToChange(call);
  const result = await call.doors.applyStory({ name, action, directory });
  const { style, io } = call;
  for (const file of result.applied) io.stdout.write(`${style.mark('ok')} wrote ${file}\n`);
  for (const file of result.removed) io.stdout.write(`${style.mark('ok')} removed ${file}\n`);
  io.stderr.write(`next: ${result.next}\n`);
  return exitCodes.ok;
}

function chosenAction(call: Call): StoryAction | undefined {
  const actions = (['break', 'fix', 'reset'] as const).filter((action) => flagOption(call, action));
  if (actions.length <= 1) return actions[0];
  throw new CommandFailure({
    exitCode: exitCodes.usage,
    message: `only one of ${actions.map((action) => `--${action}`).join(', ')} at a time`,
    next: 'weft demo story --help',
  });
}

function noStory(action: StoryAction): CommandFailure {
  return new CommandFailure({
    exitCode: exitCodes.usage,
    message: `--${action} needs the name of a story`,
    next: 'weft demo story',
  });
}

function unknownStory(name: string, known: readonly string[]): CommandFailure {
  return new CommandFailure({
    exitCode: exitCodes.notFound,
    message: `no story is called "${name}"${didYouMean(name, known)}`,
    next: 'weft demo story',
  });
}
