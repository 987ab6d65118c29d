import type { Io } from './io.ts';

type Colour = 'green' | 'yellow' | 'red' | 'dim' | 'bold';
export type Mark = 'ok' | 'warn' | 'fail' | 'wait';

/** Colour never says anything alone: a mark is a glyph and a word. */
export type Style = {
  readonly paint: (colour: Colour, text: string) => string;
  readonly mark: (mark: Mark) => string;
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

export function createStyle({ colour, unicode }: { colour: boolean; unicode: boolean }): Style {
  const paint = (name: Colour, text: string): string => {
    const [on, off] = codes[name];
    return colour ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  };
  return {
    paint,
    mark: (mark) => paint(colours[mark], unicode ? glyphs[mark] : `[${mark}]`),
  };
}

/** `FORCE_COLOR` wins, then `--no-color`, `NO_COLOR` and `TERM=dumb`, then whether a person is looking. */
export function wantsColour({ env, isTTY }: Pick<Io, 'env' | 'isTTY'>, forbidden: boolean): boolean {
  if (env.FORCE_COLOR && env.FORCE_COLOR !== '0') return true;
  return !forbidden && !env.NO_COLOR && env.TERM !== 'dumb' && isTTY;
}

export function speaksUnicode(env: Io['env']): boolean {
  return /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || '');
}
