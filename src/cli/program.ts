import { Argument, Command, CommanderError, Option } from 'commander';
import { didYouMean } from './closest.ts';
import { type CommandSpec, commands, helpTopics } from './commands.ts';
import { exitCodes, exitCodeTexts } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import { renderTable } from './table.ts';

export type Parsed =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'command';
      readonly spec: CommandSpec;
      readonly args: readonly string[];
      readonly options: Readonly<Record<string, unknown>>;
    };

/** What the command line asks for. Anything it cannot mean is a `CommandFailure` with the word probably meant. */
export function parseArguments(argv: readonly string[], version: string): Parsed {
  const output = { text: '' };
  let chosen: Parsed | undefined;
  const program = createProgram(version, output, (parsed) => {
    chosen = parsed;
  });
  try {
    if (argv.length === 0) return { kind: 'text', text: program.helpInformation() };
    program.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: 'text', text: output.text };
    throw usage(error, argv);
  }
  return chosen ?? { kind: 'text', text: output.text };
}

type Choose = (parsed: Parsed) => void;

function createProgram(version: string, output: { text: string }, choose: Choose): Command {
  const program = configure(new Command('weft'), output)
    .description('A service mesh for Kubernetes and for one laptop, on unmodified Envoy.')
    .version(`weft ${version}`, '-V, --version', 'print the version')
    .option('--no-color', 'plain output (so it is anyway when piped)')
    .helpCommand(false)
    .addHelpText('after', '\nExit codes: weft help exit-codes');
  const parents = new Map<string, Command>();
  for (const spec of commands) {
    const [first = '', second] = spec.name.split(' ');
    const parent = second === undefined ? program : parentOf(program, first, { parents, output, spec });
    parent.addCommand(toCommand(spec, second ?? first, { output, choose }));
  }
  program.addCommand(helpCommand(program, output, choose));
  return program;
}

type Parents = {
  readonly parents: Map<string, Command>;
  readonly output: { text: string };
  readonly spec: CommandSpec;
};

function parentOf(program: Command, name: string, { parents, output, spec }: Parents): Command {
  const known = parents.get(name);
  if (known) return known;
  const parts = commands.filter((other) => other.name.startsWith(`${name} `));
  const parent = configure(new Command(name), output)
    .description(parts.map((part) => part.name.slice(name.length + 1)).join(', '))
    .helpGroup(`${spec.group}:`)
    .helpCommand(false);
  parents.set(name, parent);
  program.addCommand(parent);
  return parent;
}

type Made = { readonly output: { text: string }; readonly choose: Choose };

function toCommand(spec: CommandSpec, name: string, { output, choose }: Made): Command {
  const command = configure(new Command(name), output)
    .description(spec.summary)
    .helpGroup(`${spec.group}:`)
    .addHelpText('after', `\nExamples:\n${spec.examples.map((line) => `  ${line}\n`).join('')}`);
  for (const { name: argument, text, choices } of spec.arguments) {
    const made = new Argument(argument, text);
    command.addArgument(choices ? made.choices(choices) : made);
  }
  for (const { flags, text, choices, default: value } of spec.options) {
    const option = new Option(flags, text);
    if (choices) option.choices(choices);
    if (value !== undefined) option.default(value);
    command.addOption(option);
  }
  command.addOption(new Option('--no-color', 'plain output').hideHelp());
  return command.action(() => {
    choose({ kind: 'command', spec, args: command.args, options: command.opts() });
  });
}

function configure(command: Command, output: { text: string }): Command {
  return command
    .configureOutput({
      writeOut: (text) => {
        output.text += text;
      },
      writeErr: () => {},
      outputError: () => {},
      getOutHelpWidth: () => 100,
      getOutHasColors: () => false,
    })
    .exitOverride();
}

function helpCommand(program: Command, output: { text: string }, choose: Choose): Command {
  const command = configure(new Command('help'), output)
    .description('help for a command, or: exit-codes')
    .helpGroup('Other:')
    .argument('[words...]', 'a command');
  return command.action((words: readonly string[]) => {
    choose({ kind: 'text', text: helpFor(program, words) });
  });
}

function helpFor(program: Command, words: readonly string[]): string {
  if (words[0] === helpTopics[0]) return showExitCodes();
  let at = program;
  for (const word of words) {
    const next = at.commands.find((command) => command.name() === word);
    if (!next) {
      throw new CommandFailure({
        exitCode: exitCodes.usage,
        message: `there is no help for "${words.join(' ')}"`,
        next: 'weft --help',
      });
    }
    at = next;
  }
  return at.helpInformation();
}

function showExitCodes(): string {
  const rows = Object.entries(exitCodes).map(([name, code]) => {
    // Both tables have the same keys, by their types.
    return [String(code), exitCodeTexts[name as keyof typeof exitCodes]];
  });
  return renderTable(['CODE', 'MEANING'], rows);
}

/** Commander's words, with the suggestion on the same line and the command to ask for help. */
function usage(error: CommanderError, argv: readonly string[]): CommandFailure {
  const words = argv.filter((word) => !word.startsWith('-'));
  const known = commands.find(({ name }) => words.slice(0, 2).join(' ').startsWith(name));
  const parent = commands.some(({ name }) => name.startsWith(`${words[0]} `)) ? words[0] : undefined;
  const topic = known?.name ?? parent;
  const message =
    error.code === 'commander.help'
      ? `${argv.join(' ')} needs one more word: ${subcommands(words[0] ?? '')}`
      : plainWords(error.message);
  return new CommandFailure({
    exitCode: exitCodes.usage,
    message: message.trim(),
    next: topic ? `weft ${topic} --help` : 'weft --help',
  });
}

function plainWords(message: string): string {
  const choice =
    /(?:option '([^']*)' argument )?'([^']*)' is invalid(?: for argument '([^']*)')?\. Allowed choices are (.*)\./.exec(
      message,
    );
  const [, flags, given = '', argument = 'that', choices = ''] = choice ?? [];
  const name = /--[\w-]+/.exec(flags ?? '')?.[0] ?? argument;
  if (choice) return `${name} cannot be "${given}"${didYouMean(given, choices.split(', '))} (${choices})`;
  return message.replace(/^error: /, '').replace(/\s*\(Did you mean (.*)\?\)/s, '; did you mean $1?');
}

function subcommands(parent: string): string {
  const names = commands.map(({ name }) => name).filter((name) => name.startsWith(`${parent} `));
  return names.map((name) => name.slice(parent.length + 1)).join(' or ');
}
