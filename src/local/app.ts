import { mkdir, rm, writeFile } from 'node:fs/promises';
import { type Clock, sleep } from '../base/time.ts';
import { defaultSettings } from '../model/mesh.ts';
import { aborted } from './aborted.ts';
import { podNetwork } from './addresses.ts';
import { isReady, type Machine, type Pod, type PodState, podDirectory } from './machine.ts';
import type { Output, OutputLine } from './output.ts';
import { killUser, type PodProcess, startProcess } from './process.ts';
import { listeningPorts, probe } from './readiness.ts';

/**
 * $1 pod directory, $2 state directory, $3 uid, $4 pod name, then the environment and the command.
 * 1. Its own resolv.conf and hosts, and of /proc only its own processes.
 * 2. Nothing of the mesh: its sockets and the state directory are covered. Namespaces of other pods are let go as well,
 *    for a mount that stays here would keep a deleted namespace alive.
 * 3. Its host is called what the pod is. The kernel's file takes that from the machine's root alone.
 * 4. Another user, without any privilege and without a way to get one. `env -i`, because what the user put into the
 *    environment (LD_PRELOAD) must not reach what runs as root before.
 */
const appScript = `set -e
mount --bind "$1/resolv.conf" /etc/resolv.conf
mount --bind "$1/hosts" /etc/hosts
umount -l /run/netns
for hidden in /run/netns /run/weft; do mount -t tmpfs -o size=4k,mode=755 weft "$hidden"; done
if [ -d "$2" ]; then mount -t tmpfs -o size=4k,mode=700 weft "$2"; fi
mount -t proc -o hidepid=2 proc /proc 2>/dev/null || :
{ hostname "$4" || echo "$4" >/proc/sys/kernel/hostname; } 2>/dev/null || :
uid=$3
shift 4
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs --bounding-set -all --inh-caps -all env -i -- "$@"`;

export type AppOptions = {
  readonly pod: Pod;
  readonly state: PodState;
  readonly machine: Machine;
  readonly netns: string;
  readonly output: Output;
};

/**
 * Keeps the app running until the signal aborts, then lets it end within its grace period; resolves when nothing of it is
 * left. A crash is followed by a wait that doubles.
 */
export async function superviseApp(options: AppOptions, signal: AbortSignal): Promise<void> {
  const { pod, state, machine, output } = options;
  let crashes = 0;
  if (state.trouble === undefined) state.message = '';
  while (!signal.aborted) {
    const startedAt = machine.clock();
    const app = startProcess(processOptions(options));
    state.appPid = app.pid;
    state.startedAt = new Date(startedAt).toISOString();
    machine.changed();
    const watching = new AbortController();
    const watched = { app, age: () => machine.clock() - startedAt };
    const watch = watchReadiness(options, watched, AbortSignal.any([watching.signal, signal]));
    const end = await Promise.race([app.ended, aborted(signal)]);
    watching.abort();
    await watch;
    if (end === undefined) await app.stop(graceOf(machine, pod));
    await killUser(pod.address.uid);
    state.appPid = 0;
    state.appReady = false;
    if (end === undefined) break;

    crashes = machine.clock() - startedAt >= steadyAfter ? 0 : crashes;
    const wait = crashDelay(crashes++, machine.random);
    state.restarts++;
    // What it said last says why, once it has all been read.
    await Promise.race([app.silent, sleep(200)]);
    const words = lastWords(output.tail(40).filter(({ time }) => time >= startedAt));
    const how = words === '' ? end : `${end}: ${words}`;
    const again = `started again in ${(wait / 1000).toFixed(1)} s`;
    state.trouble = { reason: 'CrashLoopBackOff', message: how };
    state.message = `the app ended (${how}); ${again}`;
    output.write('stderr', `[weft] the app ended (${end}); ${again}\n`);
    machine.changed();
    await sleep(wait, signal);
  }
}

/** The line that tells most: of an exception its name and text, else whatever came last; `''` when that is no line for people. */
export function lastWords(lines: readonly Pick<OutputLine, 'text'>[]): string {
  const texts = lines
    .map(({ text }) => text.trim())
    .filter((text) => text !== '' && !text.startsWith('[weft]'));
  const said = texts.findLast((text) => /^[\w.: ]*(?:Error|Exception)\b.*:/.test(text)) ?? texts.at(-1) ?? '';
  return said.length <= 160 ? said : '';
}

/** An app that has run this long is not in a crash loop. */
const steadyAfter = 10_000;

/** Half a second, doubling to 30 s; a tenth more or less, so that pods that fail together do not return together. */
export function crashDelay(crashes: number, random: () => number): number {
  return Math.round(Math.min(30_000, 500 * 2 ** Math.min(crashes, 10)) * (0.9 + 0.2 * random()));
}

function graceOf(machine: Machine, pod: Pod): number {
  const { gracePeriod } = pod.template;
  return machine.ending.aborted ? Math.min(gracePeriod, 2_000) : gracePeriod;
}

function processOptions({ pod, machine, netns, output }: AppOptions): Parameters<typeof startProcess>[0] {
  const env = Object.entries(appEnvironment(pod, machine.path)).map(([name, value]) => `${name}=${value}`);
  const args = [podDirectory(pod), machine.stateDirectory, String(pod.address.uid), pod.name, ...env];
  return {
    netns,
    script: appScript,
    args: [...args, '/bin/sh', '-c', shellLine(pod.template.command)],
    env: { PATH: machine.path },
    directory: machine.directory,
    output,
  };
}

/** A plain command takes the shell's place, so that no shell sits and waits beside every app. */
export function shellLine(command: string): string {
  const isPlain = /^\s*[\w./-]+(?:\s+[^;&|<>()`{}\n]*)?$/.test(command) && !/^\s*\w+=/.test(command);
  const first = command.trim().split(/\s+/)[0] ?? '';
  return isPlain && !shellWords.has(first) ? `exec ${command.trim()}` : command;
}

/** Words that mean something only to the shell itself. */
const shellWords: ReadonlySet<string> = new Set(
  '. alias break case cd command continue do eval exec exit export for getopts hash if local read readonly set shift source times trap type ulimit umask unset until wait while'.split(
    ' ',
  ),
);

/** The container's own entries win; a reference to the pod is filled in, one to anything else is left out. */
export function appEnvironment(pod: Pod, path: string): Record<string, string> {
  const fields: Readonly<Record<string, string>> = {
    'metadata.name': pod.name,
    'metadata.namespace': pod.namespace,
    'metadata.uid': pod.uid,
    'status.podIP': pod.address.ip,
    'spec.serviceAccountName': pod.template.serviceAccount,
    'spec.nodeName': 'local',
  };
  const own = (pod.template.env ?? []).flatMap(({ name, value, valueFrom }) => {
    // `valueFrom` is whatever the schema allows; anything that is no fieldRef has no fieldPath.
    const path = (valueFrom as { fieldRef?: { fieldPath?: string } } | undefined)?.fieldRef?.fieldPath;
    const filled = valueFrom === undefined ? (value ?? '') : fields[path ?? ''];
    return filled === undefined || !/^[A-Za-z_.-][\w.-]*$/.test(name) ? [] : [[name, filled]];
  });
  return { PATH: path, HOSTNAME: pod.name, HOME: '/tmp', LANG: 'C.UTF-8', ...Object.fromEntries(own) };
}

/** What the app finds as its /etc/resolv.conf and /etc/hosts. */
export async function writePodFiles(pod: Pod): Promise<void> {
  const directory = podDirectory(pod);
  await mkdir(directory, { recursive: true });
  const { clusterDomain } = defaultSettings;
  const search = `${pod.namespace}.svc.${clusterDomain} svc.${clusterDomain} ${clusterDomain}`;
  await writeFile(
    `${directory}/resolv.conf`,
    `nameserver ${podNetwork.gateway}\nsearch ${search}\noptions ndots:5\n`,
  );
  await writeFile(
    `${directory}/hosts`,
    `127.0.0.1 localhost\n::1 localhost ip6-localhost\n${pod.address.ip} ${pod.name}\n`,
  );
}

export async function removePodFiles(pod: Pod): Promise<void> {
  await rm(podDirectory(pod), { recursive: true, force: true });
}

type Watched = { readonly app: PodProcess; readonly age: Clock };

/** Keeps `appReady` true to the facts until the signal aborts. */
async function watchReadiness(
  options: AppOptions,
  { app, age }: Watched,
  signal: AbortSignal,
): Promise<void> {
  const { pod, state, machine, netns } = options;
  const { readiness } = pod.template;
  let failures = 0;
  let wait = 20;
  while (!signal.aborted && app.isRunning()) {
    const answers = readiness
      ? await probe(readiness, { netns, pid: app.pid })
      : await isListening(pod, { app, age });
    failures = answers ? 0 : failures + 1;
    const ready = answers || (state.appReady && failures < (readiness?.failures ?? 1));
    if (signal.aborted || !app.isRunning()) return;
    if (ready !== state.appReady) {
      state.appReady = ready;
      state.message = ready ? '' : 'the app does not answer';
      if (ready) state.trouble = undefined;
      machine.changed();
    }
    // Without a probe, ports that are open stay open as long as the app lives.
    if (ready && readiness === undefined) return;
    wait = ready ? (readiness?.period ?? 0) : Math.min(wait * 1.5, 500);
    if (!ready && !isReady(pod, state)) state.message ||= waitingFor(pod);
    await sleep(wait, signal);
  }
}

/** An app without ports cannot show that it works; that it has run for a while shows that it could be started. */
const trial = 1_000;

async function isListening(pod: Pod, { app, age }: Watched): Promise<boolean> {
  const declared = tcpPorts(pod);
  if (declared.length === 0) return age() >= trial;
  const open = await listeningPorts(app.pid);
  return declared.every((port) => open.has(port));
}

export function tcpPorts({ template }: Pod): readonly number[] {
  return template.ports.filter(({ protocol }) => protocol === 'TCP').map(({ port }) => port);
}

function waitingFor(pod: Pod): string {
  const ports = tcpPorts(pod);
  return ports.length === 0
    ? 'the app has just started'
    : `the app does not listen yet on ${ports.join(', ')}`;
}
