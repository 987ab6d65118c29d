/** One thing that `weft check` looked at, and what it found. */
export type Check = {
  /** Stable, for scripts. */
  readonly id: string;
  readonly result: 'ok' | 'warn' | 'fail';
  readonly text: string;
  readonly detail: readonly string[];
  readonly fix?: string;
};

export function ok(id: string, text: string): Check {
  return { id, result: 'ok', text, detail: [] };
}

type Bad = { readonly bad: readonly string[]; readonly fix: string; readonly result?: 'warn' | 'fail' };

/** At most five lines of what is wrong: the rest is in the JSON of the commands that the fix names. */
export function verdict(id: string, text: string, { bad, fix, result = 'fail' }: Bad): Check {
  if (bad.length === 0) return ok(id, text);
  const detail = bad.length > 5 ? [...bad.slice(0, 5), `and ${bad.length - 5} more`] : bad;
  return { id, result, text, detail, fix };
}
