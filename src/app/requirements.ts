import { access, constants, readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';

/** Something this machine lacks for running a mesh. */
export type Missing = { readonly what: string; readonly fix: string };

export type Host = {
  readonly platform: string;
  readonly uid: number;
  readonly user: string;
  readonly path: string;
  /** Text of a file, `undefined` when it cannot be read. */
  readonly read: (path: string) => Promise<string | undefined>;
  readonly isExecutable: (path: string) => Promise<boolean>;
};

/** Tools and the Debian package that holds each; other systems name them alike. */
const tools: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nft: 'nftables',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  mount: 'mount',
};
const rootlessTools: Readonly<Record<string, string>> = { newuidmap: 'uidmap', newgidmap: 'uidmap' };

/** A pod's user, and the proxy's, must exist below the user's own. */
const neededIds = 65_536;

/** Everything that is missing, not only the first. */
export async function findMissing(host: Host): Promise<Missing[]> {
  if (host.platform !== 'linux') {
    return [
      {
        what: `a Linux kernel (this is ${host.platform}): pods are network namespaces`,
        fix: 'run it in a Linux virtual machine',
      },
    ];
  }
  const rootless = host.uid !== 0;
  const found = [
    ...(await missingTools(host, tools)),
    ...(rootless ? await missingTools(host, rootlessTools) : []),
    ...(rootless ? await missingForUsers(host) : []),
  ];
  return found;
}

async function missingTools(host: Host, wanted: Readonly<Record<string, string>>): Promise<Missing[]> {
  const found = await Promise.all(
    Object.entries(wanted).map(async ([tool, name]) =>
      (await findTool(host, tool)) === undefined
        ? [{ what: `the program ${tool}`, fix: `apt-get install ${name}` }]
        : [],
    ),
  );
  return found.flat();
}

async function findTool({ path, isExecutable }: Host, tool: string): Promise<string | undefined> {
  for (const directory of path.split(':')) {
    if (directory !== '' && (await isExecutable(join(directory, tool)))) return join(directory, tool);
  }
  return undefined;
}

/** Without root a mesh lives in a user namespace, with users of its own; both must be allowed. */
async function missingForUsers(host: Host): Promise<Missing[]> {
  const found: Missing[] = [];
  for (const { file, refuses, fix } of kernelSettings) {
    const value = (await host.read(file))?.trim();
    if (value !== undefined && value === refuses) {
      found.push({ what: `user namespaces for ordinary users (${file} is ${value})`, fix });
    }
  }
  for (const file of ['/etc/subuid', '/etc/subgid']) {
    const ids = subordinateIds((await host.read(file)) ?? '', host);
    if (ids >= neededIds) continue;
    const option = file.endsWith('uid') ? '--add-subuids' : '--add-subgids';
    found.push({
      what: `${neededIds} subordinate ids for ${host.user} in ${file} (${ids} there)`,
      fix: `sudo usermod ${option} 100000-165535 ${host.user}`,
    });
  }
  return found;
}

const kernelSettings: readonly { readonly file: string; readonly refuses: string; readonly fix: string }[] = [
  {
    file: '/proc/sys/user/max_user_namespaces',
    refuses: '0',
    fix: 'sudo sysctl user.max_user_namespaces=15000',
  },
  {
    file: '/proc/sys/kernel/unprivileged_userns_clone',
    refuses: '0',
    fix: 'sudo sysctl kernel.unprivileged_userns_clone=1',
  },
  {
    file: '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
    refuses: '1',
    fix: 'sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0',
  },
];

/** Lines are `user:first:count`; the largest range counts, for one mapping uses one range. */
function subordinateIds(text: string, { user, uid }: Host): number {
  const counts = text
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([name]) => name === user || name === String(uid))
    .map(([, , count]) => Number(count) || 0);
  return Math.max(0, ...counts);
}

export function thisHost(env: Readonly<Record<string, string | undefined>>): Host {
  const { uid, username } = userInfo();
  return {
    platform: process.platform,
    uid,
    user: username,
    path: env.PATH ?? '',
    read: async (path) => await readFile(path, 'utf8').catch(() => undefined),
    isExecutable: async (path) =>
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      ),
  };
}
