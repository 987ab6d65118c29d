import { parseBlock } from './address.ts';
import type { Report } from './problems.ts';

/** The entry as the model has it; `fault` says why it cannot be one, `remark` that it says more than it means. */
export type ReadEntry = { readonly value: string; readonly remark?: string } | { readonly fault: string };
export const failsClosed = 'fails closed: in a DENY it matches everything, in an ALLOW nothing';

export type Read = (entry: string) => ReadEntry;

/** Every entry, or `undefined` when one is not understood. */
export function readAll(
  entries: readonly string[],
  read: Read,
  { report, field }: { readonly report: Report; readonly field: string },
): readonly string[] | undefined {
  const values: string[] = [];
  for (const [i, entry] of entries.entries()) {
    const result = read(entry);
    const shown = `\`${entry.slice(0, 128)}\``;
    if ('fault' in result) {
      report.error('WEFT-1212', {
        field: `${field}[${i}]`,
        message: `${shown} ${result.fault}; the rule ${failsClosed}`,
        fix: 'correct the entry; patterns are exact, prefix*, *suffix or *',
      });
      continue;
    }
    if (result.remark !== undefined) {
      report.warning('WEFT-1212', {
        field: `${field}[${i}]`,
        message: `${shown} ${result.remark}`,
        fix: `write ${result.value}`,
      });
    }
    values.push(result.value);
  }
  return values.length === entries.length ? values : undefined;
}

/** Exact, `x*`, `*x` or `*`. */
export function text(entry: string): ReadEntry {
  if (entry.trim() !== entry || entry === '') return { fault: 'is empty or has spaces at its ends' };
  return /^\*?[^*]*$|^[^*]*\*$/.test(entry)
    ? { value: entry }
    : { fault: 'has a `*` in another place than one end' };
}

export function principal(entry: string): ReadEntry {
  if (entry.startsWith('spiffe://')) return { fault: 'starts with spiffe://, which is left out here' };
  const exact = !entry.includes('*');
  if (exact && !/^[^/]+\/ns\/[^/]+\/sa\/[^/]+$/.test(entry)) {
    return { fault: 'is not <trust domain>/ns/<namespace>/sa/<service account>' };
  }
  return text(entry);
}

/** A bare name means the policy's own namespace. */
export function serviceAccount(namespace: string): Read {
  return (entry) => {
    if (!/^[a-z0-9.-]+(?:\/[a-z0-9.-]+)?$/.test(entry))
      return { fault: 'is not <namespace>/<service account>' };
    return { value: entry.includes('/') ? entry : `${namespace}/${entry}` };
  };
}

export function addressBlock(entry: string): ReadEntry {
  const block = parseBlock(entry);
  if (block === undefined) return { fault: 'is not an IP address or block' };
  return block.masked === block.written
    ? { value: block.masked }
    : { value: block.masked, remark: `has bits below its prefix; it was read as ${block.masked}` };
}

export function port(entry: string): ReadEntry {
  const good = /^[1-9]\d{0,4}$/.test(entry) && Number(entry) <= 65_535;
  return good ? { value: entry } : { fault: 'is not a port from 1 to 65535' };
}

/** Templates: whole segments only, nothing but letters after `{**}`, and no `*` beside them. */
export function path(entry: string): ReadEntry {
  if (!/[{}]/.test(entry)) return text(entry);
  const segments = entry.split('/');
  const operators = segments.filter((segment) => segment === '{*}' || segment === '{**}');
  const literals = segments.filter((segment) => segment !== '{*}' && segment !== '{**}');
  const many = operators.indexOf('{**}');
  if (!entry.startsWith('/')) return { fault: 'is a template that does not start with `/`' };
  if (literals.some((segment) => /[{}*]/.test(segment))) {
    return { fault: 'is a template with `{*}` or `{**}` inside a segment, or with `*` beside them' };
  }
  return many >= 0 && many < operators.length - 1
    ? { fault: 'has an operator after `{**}`' }
    : { value: entry };
}
