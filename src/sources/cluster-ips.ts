import { isIPv4 } from 'node:net';
import { compareStrings } from '../base/sorted.ts';

/** A range of IPv4 addresses: the first and last that may be given out, as numbers. */
export type AddressRange = { readonly cidr: string; readonly first: number; readonly last: number };

/** Throws for what is no IPv4 range of at least four addresses: settings are checked before anything runs. */
export function addressRange(cidr: string): AddressRange {
  const [address = '', bits = ''] = cidr.split('/');
  const length = Number(bits);
  if (!isIPv4(address) || !/^\d+$/.test(bits) || length > 30) {
    throw new TypeError(
      `the service range ${cidr} must be an IPv4 range of at least 4 addresses, such as 10.96.0.0/16`,
    );
  }
  const size = 2 ** (32 - length);
  const start = Math.floor(toNumber(address) / size) * size;
  return { cidr, first: start + 1, last: start + size - 2 };
}

/** `wanted` is the address written in the object, `''` for none. `key` orders and spreads the Services. */
export type AddressClaim = { readonly key: string; readonly wanted: string };

/** `refused` says why the wanted address could not be had; another was given then. `address` is `''` when none is left. */
export type Allocation = { readonly address: string; readonly refused?: string };

/**
 * Gives every Service its address: what it asks for, else a place of its own found by hashing its key, the next free
 * one when that is taken. A pure function of the set of claims, so every start and every replica agrees.
 */
export function allocateAddresses(
  claims: readonly AddressClaim[],
  range: AddressRange,
): ReadonlyMap<string, Allocation> {
  const owners = new Map<string, string>();
  const given = new Map<string, Allocation>();
  const sorted = [...claims].sort((a, b) => compareStrings(a.key, b.key));
  for (const { key, wanted } of sorted) {
    if (wanted === '' || refusal(wanted, owners, range) !== undefined) continue;
    owners.set(wanted, key);
    given.set(key, { address: wanted });
  }
  for (const { key, wanted } of sorted) {
    if (given.has(key)) continue;
    const refused = wanted === '' ? undefined : refusal(wanted, owners, range);
    const address = freeAddress(key, owners, range);
    if (address !== '') owners.set(address, key);
    given.set(key, { address, ...(refused === undefined ? {} : { refused }) });
  }
  return given;
}

function refusal(
  wanted: string,
  owners: ReadonlyMap<string, string>,
  range: AddressRange,
): string | undefined {
  const owner = owners.get(wanted);
  if (owner !== undefined) return `belongs to Service ${owner}`;
  return inRange(wanted, range) ? undefined : `is outside the service range ${range.cidr}`;
}

function inRange(address: string, { first, last }: AddressRange): boolean {
  if (!isIPv4(address)) return false;
  const number = toNumber(address);
  return number >= first && number <= last;
}

function freeAddress(
  key: string,
  owners: ReadonlyMap<string, string>,
  { first, last }: AddressRange,
): string {
  const size = last - first + 1;
  const start = hash(key) % size;
  for (let step = 0; step < size; step++) {
    const address = toText(first + ((start + step) % size));
    if (!owners.has(address)) return address;
  }
  return '';
}

/** FNV-1a, 32 bits: short keys spread well, and it is the same everywhere. */
function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (const byte of Buffer.from(text)) sum = Math.imul(sum ^ byte, 0x01000193);
  return sum >>> 0;
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toText(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
