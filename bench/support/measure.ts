/** Numbers of a noisy machine: what is compared runs in turns within one run, and medians are what counts. */
import { setTimeout as sleep } from 'node:timers/promises';

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? below;
  return below + (above - below) * (place - Math.floor(place));
}

export type Variants = Readonly<Record<string, () => Promise<number> | number>>;

/** Runs the variants in turns, each time in the reverse order (A B, B A, …), and gives what each measured. */
export async function inTurns<V extends Variants>(
  variants: V,
  rounds: number,
): Promise<Record<keyof V, number[]>> {
  const names: (keyof V)[] = Object.keys(variants);
  const results = new Map(names.map((name) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      results.get(name)?.push((await variants[name]?.()) ?? Number.NaN);
    }
  }
  // One entry for each name was put in above.
  return Object.fromEntries(results) as Record<keyof V, number[]>;
}

/** The median of what each pair of turns gave: drift between turns falls out. */
export function ratio(ours: readonly number[], floor: readonly number[]): number {
  return median(ours.map((value, turn) => value / (floor[turn] ?? Number.NaN)));
}

export type Row = Readonly<Record<string, string | number>>;

export function printTable(title: string, rows: readonly Row[]): void {
  const columns = Object.keys(rows[0] ?? {});
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? '')))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)));
  const text = cells.map((line) =>
    line
      .map((cell, index) =>
        index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0),
      )
      .join('  '),
  );
  process.stdout.write(`\n${title}\n${text.map((line) => `  ${line.trimEnd()}`).join('\n')}\n`);
}

/** Three digits are more than such a machine can tell. */
export function show(value: number): string {
  if (!Number.isFinite(value)) return '-';
  const magnitude = Math.abs(value);
  if (magnitude >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(magnitude >= 10 ? 1 : 2);
}

/** Rejects when the condition does not come true in time; `what` says which. */
export async function until(what: string, holds: () => boolean, withinMs: number): Promise<void> {
  for (const end = performance.now() + withinMs; !holds(); await sleep(2)) {
    if (performance.now() > end) throw new Error(`${what}: not within ${withinMs} ms`);
  }
}
