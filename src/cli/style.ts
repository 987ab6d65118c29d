import { commands } from './commands.ts';
import type { Io } from './io.ts';

type Colour = 'green' | 'yellow' | 'red' | 'dim' | 'bold';
export type Mark = 'ok' | 'warn' | 'fail' | 'wait';

/** Colour never says anything alone: a mark is a glyph and a word. */
export type Style = {
  readonly paint: (colour: Colour, text: string) => string;
  readonly mark: (mark: Mark) => string;
  /** The commands that a text names, as the user would have to type them: `./weft status`. */
  readonly hint: (text: string) => string;
};

const codes: Readonly<Record<Colour, readonly [number, number]>> = {
  green: [32, 39],
  yellow: [33, 39],
  red: [31, 39],
  dim: [2, 22],
  bold: [1, 22],
};
const colours: Readonly<Record<Mark, Colour>> = { ok: 'green', warn: 'yellow', fail: 'red', wait: 'dim' };
const glyphs: Readonly<Record<Mark, string>> = { ok: '√', warn: '‼', fail: '×', wait: '…' };

type StyleOptions = {
  readonly colour: boolean;
  readonly unicode: boolean;
  /** What the user called this program. */
  readonly self?: string;
};

export function createStyle({ colour, unicode, self = 'weft' }: StyleOptions): Style {
  const paint = (name: Colour, text: string): string => {
    const [on, off] = codes[name];
    return colour ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  };
  return {
    paint,
    mark: (mark) => paint(colours[mark], unicode ? glyphs[mark] : `[${mark}]`),
    hint: (text) => text.replace(commandLine, () => self),
  };
}

/** The program's name where a command follows: no sentence about the program, no path that ends in it. */
const commandLine = new RegExp(
  `(?<![\\w./-])weft(?= (?:${[...new Set(commands.map(({ name }) => name.split(' ', 1)[0])), 'help', '--help'].join('|')})(?![\\w-]))`,
  'g',
);

/** What the launcher was called; a name with blanks in it as a shell wants it. */
export function selfOf(env: Io['env']): string {
  return shellWord(env.WEFT_SELF || 'weft');
}

/** A word as it must be typed. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** `FORCE_COLOR` wins, then `--no-color`, `NO_COLOR` and `TERM=dumb`, then whether a person is looking. */
export function wantsColour({ env, isTTY }: Pick<Io, 'env' | 'isTTY'>, forbidden: boolean): boolean {
  if (env.FORCE_COLOR && env.FORCE_COLOR !== '0') return true;
  return !forbidden && !env.NO_COLOR && env.TERM !== 'dumb' && isTTY;
}

export function speaksUnicode(env: Io['env']): boolean {
  return /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || '');
}
