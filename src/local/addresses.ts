import { LocalError } from './errors.ts';

/** A pod's place in the pod network: everything that must be unique on this machine comes from one number. */
export type PodAddress = {
  readonly index: number;
  readonly ip: string;
  /** The user its app runs as: never root, never the proxy's, never another pod's. */
  readonly uid: number;
  /** Of the machine's end of the pod's link. */
  readonly link: string;
};

export type Addresses = {
  /** The same key gets the same address again as long as nobody else needs it. Throws WEFT-2502. */
  readonly take: (key: string) => PodAddress;
  readonly free: (key: string) => void;
};

export const podNetwork = {
  cidr: '10.244.0.0/16',
  bridge: 'weft0',
  gateway: '10.244.0.1',
  services: '10.96.0.0/16',
} as const;

const firstIndex = 2;

export type AddressRange = {
  /** Of the first pod; the others follow. */
  readonly firstUid: number;
  /** How many pods there may be at once: a /16 and 65,536 subordinate users leave room for 50,000. */
  readonly size?: number;
};

export function createAddresses({ firstUid, size = 50_000 }: AddressRange): Addresses {
  const byKey = new Map<string, number>();
  const used = new Set<number>();
  // Where the search goes on: an address just freed rests as long as possible, for the sake of caches.
  let next = 0;
  return {
    take: (key) => {
      const before = byKey.get(key);
      if (before !== undefined && !used.has(before)) {
        used.add(before);
        return addressOf(before, firstUid);
      }
      for (let tried = 0; tried < size; tried++) {
        const slot = next;
        next = (next + 1) % size;
        if (used.has(slot)) continue;
        used.add(slot);
        for (const [other, held] of byKey) if (held === slot) byKey.delete(other);
        byKey.set(key, slot);
        return addressOf(slot, firstUid);
      }
      throw new LocalError('WEFT-2502', {
        message: `No address is left in ${podNetwork.cidr} for ${key}: ${size} pods run.`,
        fix: 'Run fewer replicas.',
      });
    },
    free: (key) => {
      const slot = byKey.get(key);
      if (slot !== undefined) used.delete(slot);
    },
  };
}

function addressOf(slot: number, firstUid: number): PodAddress {
  const index = slot + firstIndex;
  return {
    index,
    ip: `10.244.${index >> 8}.${index & 255}`,
    uid: firstUid + slot,
    link: `pod${index}`,
  };
}
