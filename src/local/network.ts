import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type PodAddress, podNetwork } from './addresses.ts';
import { runCommand } from './command.ts';

/**
 * A bridge without an address of its own takes its ports' lowest, and another when that pod goes: until others had asked for
 * the new one, their queries for names were lost.
 */
const bridgeAddress = '02:77:65:66:74:01';

/** The machine's end of the pod network, inside the mesh's own network namespace. Call once. */
export async function createPodNetwork(): Promise<void> {
  await ip([
    'link set lo up',
    `link add ${podNetwork.bridge} address ${bridgeAddress} type bridge`,
    `addr add ${podNetwork.gateway}/16 dev ${podNetwork.bridge}`,
    `link set ${podNetwork.bridge} up`,
    // The first `netns add` prepares /run/netns; two at once would race for it.
    'netns add weft-first',
    'netns del weft-first',
  ]);
  // Without it a packet to nowhere vanishes and its sender waits; with it the sender is told at once.
  await writeFile('/proc/sys/net/ipv4/ip_forward', '1').catch(() => {});
}

/** A network namespace with one link to the others. Its address answers when this returns. */
export type PodNetwork = {
  /** As `/run/netns/<name>`. */
  readonly path: string;
  readonly remove: () => Promise<void>;
};

/** All of it or nothing: what stood there of an earlier try is gone as well after a failure. */
export async function addPodNetwork(name: string, address: PodAddress): Promise<PodNetwork> {
  const remove = (): Promise<void> => removePodNetwork(name, address);
  try {
    await makePodNetwork(name, address);
  } catch (error) {
    // Why it could not be made says more than why it could not be unmade, which the next try finds out.
    await remove().catch(() => {});
    throw error;
  }
  return { path: pathOf(name), remove };
}

async function makePodNetwork(name: string, address: PodAddress): Promise<void> {
  await ip([
    `netns add ${name}`,
    `link add ${address.link} type veth peer name eth0 address ${hardwareAddress(address)} netns ${name}`,
    `link set ${address.link} master ${podNetwork.bridge} up`,
  ]);
  await ip(
    [
      'link set lo up',
      `addr add ${address.ip}/16 dev eth0`,
      'link set eth0 up',
      `route add default via ${podNetwork.gateway}`,
    ],
    ['-n', name],
  );
}

async function removePodNetwork(name: string, { link }: PodAddress): Promise<void> {
  try {
    // The link first: its other end lives as long as anything still runs in the namespace.
    await ip([`link del ${link}`, `netns del ${name}`], ['-force']);
  } catch (error) {
    // That a part was gone already is no failure.
    if (existsSync(pathOf(name))) throw error;
  }
}

function pathOf(name: string): string {
  return `/run/netns/${name}`;
}

/**
 * Made from the IP address: a pod that gets the address of one before it gets its hardware address too, or others would go on
 * asking the one that is gone, until their tables forget it.
 */
function hardwareAddress({ ip }: PodAddress): string {
  const bytes = ip.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['02', '77', ...bytes].join(':');
}

/** One process for many changes: starting `ip` costs more than what it does. */
async function ip(lines: readonly string[], options: readonly string[] = []): Promise<void> {
  await runCommand('ip', [...options, '-batch', '-'], `${lines.join('\n')}\n`);
}
