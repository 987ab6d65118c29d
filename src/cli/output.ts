import { exitCodes } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import { renderTable } from './table.ts';

export const formats = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type Format = (typeof formats)[number];

/** One answer in every form. JSON and YAML are a promise to scripts, tables are for people and may change. */
export type View = {
  /** With `apiVersion` and `kind`. */
  readonly data: unknown;
  /** `wide` gets all columns, `table` the first `narrow` ones. */
  readonly header: readonly string[];
  readonly narrow?: number;
  readonly rows: readonly (readonly string[])[];
  /** One a line, in the order of the rows. */
  readonly names: readonly string[];
  /** In place of a table without rows; goes to stderr. */
  readonly empty: string;
};

type Sink = { readonly write: (text: string) => unknown };

export async function print(
  io: { readonly stdout: Sink; readonly stderr: Sink },
  format: Format,
  view: View,
): Promise<void> {
  if (format === 'json' || format === 'yaml') {
    io.stdout.write(await showData(format, view.data));
  } else if (format === 'name') {
    io.stdout.write(view.names.map((name) => `${name}\n`).join(''));
  } else if (view.rows.length === 0) {
    io.stderr.write(`${view.empty}\n`);
  } else {
    const columns = format === 'wide' ? view.header.length : (view.narrow ?? view.header.length);
    io.stdout.write(
      renderTable(
        view.header.slice(0, columns),
        view.rows.map((row) => row.slice(0, columns)),
      ),
    );
  }
}

export async function showData(format: 'json' | 'yaml', data: unknown): Promise<string> {
  if (format === 'json') return `${JSON.stringify(data, undefined, 2)}\n`;
  const { toYaml } = await import('./yaml-text.ts');
  return toYaml(data);
}

export function parseFormat(text: string): Format {
  const format = formats.find((known) => known === text);
  if (format) return format;
  throw new CommandFailure({
    exitCode: exitCodes.usage,
    message: `no output format is called "${text}"`,
    why: `formats are ${formats.join(', ')}`,
    next: 'repeat the command with -o json',
  });
}
