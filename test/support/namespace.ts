/**
 * Network namespaces for tests, each held by one process that ends with the test: no name, link or rule of them is
 * ever seen on the machine.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Why tests with namespaces cannot run here; `false` when they can. Where CI is set they must: then this throws. */
export function namespacesMissing(): string | false {
  const missing = reason();
  if (missing !== false && process.env.CI) throw new Error(`these tests must run in CI: ${missing}`);
  return missing;
}

function reason(): string | false {
  if (process.getuid?.() !== 0) return 'needs root for network namespaces';
  const paths = (process.env.PATH ?? '').split(':').concat('/usr/sbin', '/sbin');
  const absent = ['ip', 'nft', 'nsenter', 'unshare', 'setpriv'].filter(
    (tool) => !paths.some((path) => existsSync(`${path}/${tool}`)),
  );
  return absent.length > 0 && `needs ${absent.join(', ')}`;
}

export type Namespace = AsyncDisposable & {
  readonly pid: number;
  /** What `nsenter --net=` takes. */
  readonly path: string;
  /** Runs a command in it and returns what it printed. */
  readonly run: (...command: string[]) => string;
  /** Starts a command in it that ends with the namespace. */
  readonly start: (...command: string[]) => ChildProcess;
};

export async function startNamespace(): Promise<Namespace> {
  const holder = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '--net', 'sleep', '600'], {
    stdio: 'ignore',
  });
  const pid = holder.pid ?? 0;
  const path = `/proc/${pid}/ns/net`;
  for (let tries = 0; readlinkSync(path) === readlinkSync('/proc/self/ns/net'); tries++) {
    if (tries > 500) throw new Error('no network namespace came up');
    await sleep(5);
  }
  const enter = [`--net=${path}`];
  const children: ChildProcess[] = [];
  execFileSync('nsenter', [...enter, 'ip', 'link', 'set', 'lo', 'up']);
  return {
    pid,
    path,
    run: (...command) =>
      execFileSync('nsenter', [...enter, ...command], { encoding: 'utf8', timeout: 20_000 }),
    start: (...command) => {
      const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'nsenter', ...enter, ...command], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      children.push(child);
      return child;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...children, holder].map(end));
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

/** Lays a wire between two, 10.250.0.1 at the first and 10.250.0.2 at the second. */
export function connectNamespaces(first: Namespace, second: Namespace): void {
  first.run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(second.pid));
  for (const [namespace, host] of [
    [first, 1],
    [second, 2],
  ] as const) {
    namespace.run('ip', 'address', 'add', `10.250.0.${host}/24`, 'dev', 'eth0');
    namespace.run('ip', 'link', 'set', 'eth0', 'up');
    namespace.run('ip', 'route', 'add', 'default', 'via', `10.250.0.${3 - host}`);
  }
}
