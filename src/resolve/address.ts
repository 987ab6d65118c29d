/** `written` as the user has it, with the prefix length added where it was missing; `masked` without the bits below it. */
export type Block = { readonly written: string; readonly masked: string };

/** An IPv4 or IPv6 address or block. Zone indexes are refused: they mean something on one machine only. */
export function parseBlock(text: string): Block | undefined {
  const [address = '', length, ...more] = text.split('/');
  const groups = parseV4(address) ?? parseV6(address);
  if (!groups || more.length > 0) return undefined;
  const bits = groups.length === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (prefix < 0 || prefix > bits) return undefined;
  const width = bits / groups.length;
  const kept = groups.map((group, i) => maskGroup(group, width, prefix - i * width));
  const written = `${address.toLowerCase()}/${prefix}`;
  const changed = kept.some((group, i) => group !== groups[i]);
  return { written, masked: changed ? `${showGroups(kept)}/${prefix}` : written };
}

/** Keeps the `bits` highest of `width` bits. */
function maskGroup(group: number, width: number, bits: number): number {
  const cleared = 2 ** Math.max(0, Math.min(width, width - bits));
  return group - (group % cleared);
}

function showGroups(groups: readonly number[]): string {
  if (groups.length === 4) return groups.join('.');
  const hex = groups.map((group) => group.toString(16)).join(':');
  return hex.replace(/(?:^|:)0(?::0)+$/, '::').replace(/^$/, '::');
}

function parseV4(text: string): number[] | undefined {
  const parts = text.split('.');
  const good =
    parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  return good ? parts.map(Number) : undefined;
}

/** Eight groups of 16 bits. A dotted tail (`::ffff:10.0.0.1`) is its last two. */
function parseV6(text: string): number[] | undefined {
  const tail = /[^:]*\.[^:]*$/.exec(text)?.[0];
  const v4 = tail === undefined ? undefined : parseV4(tail);
  if (tail !== undefined && !v4) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = v4 ?? [];
  const hex = v4
    ? text.replace(tail ?? '', `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`)
    : text;
  const halves = hex.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], rest = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - rest.length;
  const groups =
    halves.length === 2 ? [...head, ...Array<string>(Math.max(0, missing)).fill('0'), ...rest] : head;
  const good = groups.length === 8 && (halves.length === 1 || missing >= 1);
  return good && groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))
    ? groups.map((g) => Number.parseInt(g, 16))
    : undefined;
}
