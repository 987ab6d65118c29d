import { type Call, flagOption } from '../call.ts';
import { meshToChange } from '../choose-mesh.ts';
import { didYouMean } from '../closest.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import type { Story, StoryAction } from '../io.ts';
import { print } from '../output.ts';
import { watchDirectory } from '../written.ts';

/** Milliseconds that the proxies may take for what a story writes. */
const patience = 15_000;

export async function run(call: Call): Promise<ExitCode> {
  const [name] = call.args;
  const stories = await call.doors.listStories();
  const action = chosenAction(call);
  if (name === undefined) {
    if (action !== undefined) throw noStory(action);
    return list(call, stories);
  }
  const story = stories.find((one) => one.name === name);
  if (!story) throw unknownStory(name, stories);
  return action === undefined ? tell(call, story) : play(call, story, action);
}

async function list(call: Call, shown: readonly Story[]): Promise<ExitCode> {
  await print(call.io, call.format, {
    data: { apiVersion: 'weft.dev/v1alpha1', kind: 'StoryList', items: shown },
    header: ['STORY', 'ABOUT'],
    rows: shown.map((story) => [story.name, story.summary]),
    names: shown.map((story) => story.name),
    empty: 'no stories',
  });
  return exitCodes.ok;
}

async function tell(call: Call, story: Story): Promise<ExitCode> {
  if (call.format !== 'table' && call.format !== 'wide') return list(call, [story]);
  call.io.stdout.write(`${story.name}: ${story.summary}\n`);
  sayNext(call, `weft demo story ${story.name} --break lets it happen, --fix puts it right, --reset ends it`);
  return exitCodes.ok;
}

async function play(call: Call, { name, summary }: Story, action: StoryAction): Promise<ExitCode> {
  const { io, style } = call;
  const mesh = await meshToChange(call);
  const directory = await watchDirectory(call, mesh);
  const result = await call.doors.applyStory({ name, action, directory: mesh.directory });
  io.stdout.write(`${sentences[action](name, summary)}\n`);
  for (const file of result.applied) io.stdout.write(`${style.mark('ok')} wrote ${file}\n`);
  for (const file of result.removed) io.stdout.write(`${style.mark('ok')} removed ${file}\n`);
  try {
    const count = await directory.untilTaken(patience);
    const what = count === 0 ? 'nothing to change' : `applied ${count} ${count === 1 ? 'change' : 'changes'}`;
    io.stdout.write(`${style.mark('ok')} ${what}\n`);
    return exitCodes.ok;
  } finally {
    // Late or not: what was written is there to be looked at.
    sayNext(call, result.next);
  }
}

const sentences: Readonly<Record<StoryAction, (name: string, summary: string) => string>> = {
  break: (name, summary) => `${name}: ${summary}`,
  fix: (name, summary) => `${name} is put right. It was: ${summary}`,
  reset: (name) => `${name} is over: its objects are as they were at the start`,
};

function sayNext({ io, style }: Call, text: string): void {
  io.stderr.write(style.hint(`next: ${text}\n`));
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

function unknownStory(name: string, stories: readonly Story[]): CommandFailure {
  const known = stories.map((story) => story.name);
  return new CommandFailure({
    exitCode: exitCodes.notFound,
    message: `no story is called "${name}"${didYouMean(name, known)}`,
    next: 'weft demo story',
  });
}
