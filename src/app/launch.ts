import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { planReach, quote, reachScript } from './reach.ts';
import { UpFailure } from './up-failure.ts';

/** The namespaces of a mesh, with everything in them. */
export type Launched = {
  /** Its first process, as the host sees it. */
  readonly pid: number;
  /** Exit code, or the signal's name. Never rejects. */
  readonly ended: Promise<number | string>;
  /** Asks it to end by itself; `kill` does not ask. */
  readonly end: () => void;
  readonly kill: () => void;
};

export type LaunchOptions = {
  /** How this program starts itself. */
  readonly launcher: readonly string[];
  readonly args: readonly string[];
  /** What pods must be able to reach. */
  readonly reach: readonly string[];
  readonly rootless: boolean;
  /** One line that something inside said. */
  readonly onLine: (line: string) => void;
};

/**
 * Starts the mesh in namespaces of its own. Three things make sure that nothing outlives this process, however it ends: the
 * kernel kills `unshare` when we die, and the mesh's first process when `unshare` dies, and with that all others; and the
 * mesh itself ends when its standard input does.
 */
export async function launch(options: LaunchOptions): Promise<Launched> {
  const user = options.rootless ? ['--user', '--map-root-user', '--map-auto'] : [];
  const namespaces = ['--net', '--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child'];
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'unshare', ...user, ...namespaces, 'sh', '-c', firstScript(options), 'sh'].concat(
      options.launcher,
      options.args,
    ),
    // A session of its own: Ctrl-C is for us, and we end the mesh in order.
    { stdio: ['pipe', 'pipe', 'pipe'], detached: true },
  );
  const ended = new Promise<number | string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  // It may be gone before we have said all.
  child.stdin.on('error', () => {});
  const said: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (said.push(line) > 20) said.shift();
    options.onLine(line);
  });
  const pid = await Promise.race([firstPid(child), ended]);
  if (typeof pid !== 'object') throw notStarted(options, said, pid);
  return {
    pid: pid.pid,
    ended,
    end: () => void child.stdin.end(),
    kill: () => void child.kill('SIGKILL'),
  };
}

/**
 * The first process of the mesh: a shell that says its pid as the host sees it (the /proc of the host is still there), makes
 * room, starts the program and waits. It stays because a first process must reap what others leave behind, and Node does not.
 */
function firstScript({ reach }: LaunchOptions): string {
  return `set -e
read -r pid rest </proc/self/stat
mount -t proc proc /proc
mount -t tmpfs -o mode=755 weft /run
mkdir -p ${quote('/run/weft')} /run/lock
target=$(readlink -m /etc/resolv.conf)
case $target in /run/*) mkdir -p "\${target%/*}"; : >"$target" ;; esac
${reachScript(planReach(reach))}
cd /
exec 3<&0 </dev/null
"$@" <&3 3<&- &
child=$!
exec 3<&-
trap 'kill -TERM "$child" 2>/dev/null' TERM INT HUP
echo "$pid"
exec >/dev/null
while :; do
  code=0
  wait "$child" || code=$?
  kill -0 "$child" 2>/dev/null || exit "$code"
done`;
}

/** The first line of its output; the rest is nobody's. */
async function firstPid(child: ChildProcess): Promise<{ pid: number }> {
  return await new Promise((resolve) => {
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (/^\d+$/.test(line)) resolve({ pid: Number(line) });
    });
  });
}

function notStarted(options: LaunchOptions, said: readonly string[], end: number | string): UpFailure {
  const text = said.join('; ') || `it ended with ${end}`;
  return new UpFailure(`the mesh's namespaces cannot be made: ${text}`, {
    exitCode: 77,
    fixes: options.rootless
      ? ['run it with sudo', 'or allow user namespaces for ordinary users on this machine']
      : ['inside a container: it needs the capabilities SYS_ADMIN and NET_ADMIN'],
  });
}
