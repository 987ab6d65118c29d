import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { sleep } from '../base/time.ts';
import { meshPorts, proxyUid } from '../model/names.ts';
import type { AgentWorkload } from './agent-client.ts';
import { type Machine, type Pod, type PodState, proxyDirectory } from './machine.ts';
import type { Output } from './output.ts';
import { type PodProcess, startProcess } from './process.ts';

/**
 * $1 the sidecar's directory, $2 state directory, $3 user, then Envoy's command line. Of the mesh Envoy sees its own
 * directory alone. The bind names `.`, because the path to it is covered by then.
 */
const proxyScript = `set -e
cd "$1"
umount -l /run/netns
for hidden in /run/netns /run/weft; do mount -t tmpfs -o size=4k,mode=755 weft "$hidden"; done
mkdir /run/weft/self
mount --no-canonicalize --bind . /run/weft/self
if [ -d "$2" ]; then mount -t tmpfs -o size=4k,mode=700 weft "$2"; fi
cd /
uid=$3
shift 3
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs --bounding-set -all --inh-caps -all "$@"`;

const bootstrapFile = 'bootstrap.json';
/** What the agent wants to know of a pod for as long as it runs. */
export function agentWorkload(pod: Pod, machine: Machine, netns: string): AgentWorkload {
  const { namespace, name, uid } = pod;
  return {
    pod: { namespace, name, uid },
    serviceAccount: pod.template.serviceAccount,
    netns,
    directory: proxyDirectory(pod),
    token: (ttl) => machine.issueToken(pod, ttl),
  };
}

export type SidecarOptions = {
  readonly pod: Pod;
  readonly state: PodState;
  readonly machine: Machine;
  readonly netns: string;
  readonly output: Output;
};

/** A directory that only the sidecar's user, and we, may enter. */
export async function writeSidecarFiles(pod: Pod, machine: Machine): Promise<void> {
  const directory = proxyDirectory(pod);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(`${directory}/${bootstrapFile}`, machine.bootstrap(pod), { mode: 0o644 });
  await chown(directory, proxyUid, 0);
}

export async function removeSidecarFiles(pod: Pod): Promise<void> {
  await rm(proxyDirectory(pod), { recursive: true, force: true });
}

/**
 * Keeps Envoy running until the signal aborts, and `proxyReady` true to the facts. A crashed Envoy is started again at once,
 * and the app beside it is left alone: what it sends meanwhile is refused, never sent around the sidecar.
 */
export async function superviseSidecar(options: SidecarOptions, signal: AbortSignal): Promise<void> {
  const { state, machine, output } = options;
  let quickEnds = 0;
  while (!signal.aborted) {
    const startedAt = machine.clock();
    const proxy = startProcess(processOptions(options));
    state.proxyPid = proxy.pid;
    const stop = (): void => void proxy.stop(2_000);
    signal.addEventListener('abort', stop);
    await watchReadiness(options, proxy, signal);
    const end = await proxy.ended;
    signal.removeEventListener('abort', stop);
    state.proxyPid = 0;
    state.proxyReady = false;
    if (signal.aborted) return;

    state.proxyRestarts++;
    output.write('stderr', `[weft] Envoy ended (${end}); starting it again\n`);
    machine.changed();
    // Only an Envoy that cannot start at all is made to wait.
    quickEnds = machine.clock() - startedAt < 1_000 ? quickEnds + 1 : 0;
    if (quickEnds > 1) await sleep(Math.min(5_000, 50 * 2 ** Math.min(quickEnds, 10)), signal);
  }
}

function processOptions({ pod, machine, netns, output }: SidecarOptions): Parameters<typeof startProcess>[0] {
  const envoy = [
    machine.envoy,
    ...['--config-path', `/run/weft/self/${bootstrapFile}`],
    ...['--concurrency', '1', '--disable-hot-restart', '--log-level', 'warn'],
    // A changed access rule is for new connections. Old ones are asked to end with their next answer, and ended after this.
    ...['--drain-strategy', 'immediate', '--drain-time-s', '45'],
  ];
  return {
    netns,
    script: proxyScript,
    args: [proxyDirectory(pod), machine.stateDirectory, String(proxyUid), ...envoy],
    env: { PATH: systemPath },
    directory: '/',
    output,
  };
}

/** Where the system's own tools are. */
export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Asks until Envoy says yes: its readiness listener comes with its configuration, so a yes means that it has one. */
async function watchReadiness(
  options: SidecarOptions,
  proxy: PodProcess,
  signal: AbortSignal,
): Promise<void> {
  const { pod, state, machine } = options;
  const slowAt = machine.clock() + 10_000;
  let said = false;
  let wait = 20;
  while (!signal.aborted && proxy.isRunning()) {
    if (await answersReady(pod.address.ip)) {
      state.proxyReady = true;
      state.message = '';
      machine.changed();
      return;
    }
    if (!said && machine.clock() > slowAt) {
      said = true;
      state.message = 'the sidecar has no configuration yet';
      machine.log.warn(state.message, { code: 'WEFT-2503', pod: `${pod.namespace}/${pod.name}` });
      machine.changed();
    }
    await sleep(wait, signal);
    wait = Math.min(wait * 1.3, 250);
  }
}

function answersReady(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = get(
      { host, port: meshPorts.ready, path: '/ready', timeout: 1_000, agent: false },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(false));
  });
}
