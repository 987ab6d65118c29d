import type { Duration } from '../model/traffic.ts';
import type { Report } from './problems.ts';

const units: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};
const day = 24 * 3_600_000;

/** Go's notation (`1h30m`, `1.5s`, `10ms`, `0`) in milliseconds; `undefined` when it is something else. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (text.length > 64 || !/^(?:\d+(?:\.\d*)?(?:h|ms|m|us|µs|ns|s))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/([\d.]+)([^\d.]+)/g))
    total += Number(count) * (units[unit ?? ''] ?? 0);
  return total;
}

export type Bounds = {
  readonly report: Report;
  readonly field: string;
  readonly max?: Duration;
  readonly zero?: true;
};

/** Whole milliseconds, from 1 ms (or 0 where `zero` says it has a meaning) up to `max`, a day unless given. */
export function readDuration(
  text: string | undefined,
  { report, field, max = day, zero }: Bounds,
): Duration | undefined {
  if (text === undefined) return undefined;
  const exact = parseDuration(text);
  const value = exact === undefined ? undefined : Math.round(exact);
  if (value !== undefined && exact !== undefined && value <= max && (exact >= 1 || (zero && exact === 0)))
    return value;
  report.error('WEFT-1209', {
    field,
    message: `\`${text.slice(0, 128)}\` is not a duration that can stand here; it was left out`,
    fix: `write a number and a unit, such as 1.5s, 250ms or 2m, from ${zero ? '0s' : '1ms'} to ${showDuration(max)}`,
  });
  return undefined;
}

function showDuration(value: Duration): string {
  return value % 3_600_000 === 0 ? `${value / 3_600_000}h` : `${value}ms`;
}

export type Range = {
  readonly report: Report;
  readonly field: string;
  readonly min: number;
  readonly max: number;
};

export function readInteger(
  value: number | undefined,
  { report, field, min, max }: Range,
): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return value;
  report.error('WEFT-1209', {
    field,
    message: `\`${value}\` is out of range; it was left out`,
    fix: `write a whole number from ${min} to ${max}`,
  });
  return undefined;
}
