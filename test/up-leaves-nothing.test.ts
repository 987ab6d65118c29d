/** However a mesh ends, nothing of it is left on the machine. The pods have no sidecars: how they end is the same. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findEnvoy } from './support/envoy.ts';

const root = join(import.meta.dirname, '..');
const started = new Set<() => void>();

// However a test fails, what it started ends.
process.on('exit', () => {
  for (const end of started) end();
});

test('Ctrl-C ends it in order', async () => {
  const mesh = await startMesh();
  mesh.outer.kill('SIGINT');
  assert.equal(await mesh.ended, 0);
  assert.match(mesh.said(), /ended; nothing is left/);
  await assertNothingLeft(mesh);
  assert.ok(!readdirSync(join(mesh.directory, '.weft')).includes('run.json'));
});

test('the signal of `weft down` ends it in order', async () => {
  const mesh = await startMesh();
  process.kill(mesh.pid, 'SIGTERM');
  assert.equal(await mesh.ended, 0);
  await assertNothingLeft(mesh);
});

test('kill -9 of what the terminal runs ends everything', async () => {
  const mesh = await startMesh();
  mesh.outer.kill('SIGKILL');
  await mesh.ended;
  await assertNothingLeft(mesh);
});

test('kill -9 of the first process inside ends everything, and is told', async () => {
  const mesh = await startMesh();
  process.kill(mesh.pid, 'SIGKILL');
  assert.equal(await mesh.ended, 1);
  assert.match(mesh.said(), /the mesh ended by itself/);
  await assertNothingLeft(mesh);
});

test('kill -9 of the program inside ends everything, with control plane and agent apart as well', async () => {
  const mesh = await startMesh('--separate');
  const [program] = readFileSync(`/proc/${mesh.pid}/task/${mesh.pid}/children`, 'utf8').split(' ');
  process.kill(Number(program), 'SIGKILL');
  assert.equal(await mesh.ended, 1);
  await assertNothingLeft(mesh);
});

test('two meshes run beside each other, each on ports of its own', async () => {
  const taken = createServer()
    .listen(15_080, '127.0.0.1')
    .on('error', () => {});
  const [first, second] = await Promise.all([startMesh(), startMesh()]);
  assert.notEqual(first.state.metricsUrl, second.state.metricsUrl);
  for (const mesh of [first, second]) {
    mesh.outer.kill('SIGINT');
    assert.equal(await mesh.ended, 0);
    await assertNothingLeft(mesh);
  }
  taken.close();
});

test('a mesh below a closed home directory reaches its files, and only those', async () => {
  const mesh = await startMesh('--home');
  const app = mesh.members().find((pid) => commandOf(pid).includes('sleep 9999'));
  assert.ok(app);
  assert.equal(readlinkSync(`/proc/${app}/cwd`), mesh.directory);
  assert.deepEqual(readdirSync(`/proc/${app}/root${dirname(mesh.directory)}`), ['mesh']);
  mesh.outer.kill('SIGINT');
  await mesh.ended;
  await assertNothingLeft(mesh);
});

test('runs with the PATH of an ordinary user, and keeps its state out of version control', async () => {
  const mesh = await startMesh('--ordinary-path');
  assert.equal(readFileSync(join(mesh.directory, '.weft/.gitignore'), 'utf8'), '*\n');
  mesh.outer.kill('SIGINT');
  assert.equal(await mesh.ended, 0);
  assert.doesNotMatch(mesh.said(), /ENOENT|failed/);
  await assertNothingLeft(mesh);
});

test('tells what changes while it runs, each once', async () => {
  const mesh = await startMesh();
  await eventually(() => /it leaves nothing behind/.test(mesh.said()), mesh.said);
  const change = async (text: string, wanted: RegExp): Promise<void> => {
    await sleep(1_500);
    writeFileSync(join(mesh.directory, 'pod.yaml'), text);
    await eventually(() => wanted.test(mesh.said()), mesh.said);
  };
  const service = `---
apiVersion: v1
kind: Service
metadata: {name: sleeper, namespace: default}
spec: {selector: {app: sleeper}, ports: [{port: 80}]}
`;
  await change(podYaml + service, /√? ?ok +pod\.yaml: Service default\/sleeper (?:applied on|accepted)/);
  await change(
    podYaml + service.replace('port: 80', 'port: 80, prot: 81'),
    /fail +pod\.yaml:\d+:\d+ WEFT-1004 .*stays live/,
  );
  await change(podYaml + service, /pod\.yaml: Service default\/sleeper has WEFT-1004 no more/);
  await change(
    podYaml.replace(/run: .*/, 'run: there-is-no-such-command') + service,
    /WEFT-1213 Deployment default\/sleeper: pod .* does not stay up \(exit code 127.*: weft logs default\/sleeper-/,
  );
  mesh.outer.kill('SIGINT');
  assert.equal(await mesh.ended, 0);
  for (const text of [/has WEFT-1004 no more/g, /WEFT-1213/g, /stays live/g])
    assert.equal(mesh.said().match(text)?.length, 1, mesh.said());
});

test('says what is missing, and does nothing', async () => {
  const { outer, said, ended } = startUp(join(tmpdir(), 'weft-there-is-no-such-directory'), []);
  assert.notEqual(await ended, 0);
  assert.match(said(), /there is no directory/);
  assert.equal(outer.signalCode, null);
});

type Mesh = {
  readonly outer: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly said: () => string;
  readonly directory: string;
  readonly pid: number;
  readonly state: { readonly metricsUrl: string };
  /** Inodes of its namespaces; no other thing on the machine has them. */
  readonly namespaces: ReadonlySet<string>;
  readonly members: () => string[];
};

async function startMesh(...options: string[]): Promise<Mesh> {
  const closed = options.includes('--home');
  const parent = mkdtempSync(join(closed ? homedir() : tmpdir(), 'weft-leaves-'));
  // Made by mkdtemp, the parent is closed to all but its owner: as homes are.
  if (!closed) execFileSync('chmod', ['755', parent]);
  const directory = join(parent, 'mesh');
  execFileSync('mkdir', [directory]);
  writeFileSync(join(directory, 'pod.yaml'), podYaml);
  const { outer, ended, said } = startUp(
    directory,
    options.filter((option) => !/^--(?:home|ordinary-path)$/.test(option)),
    options.includes('--ordinary-path') ? { PATH: '/usr/bin:/bin' } : {},
  );
  started.add(() => {
    outer.kill('SIGKILL');
    rmSync(parent, { recursive: true, force: true });
  });
  await eventually(() => /pods ready 2 of 2 after/.test(said()), said);
  // Written by the program under test, just now.
  const state = JSON.parse(readFileSync(join(directory, '.weft/run.json'), 'utf8')) as {
    pid: number;
    metricsUrl: string;
  };
  const namespaces = new Set(
    ['net', 'mnt', 'pid'].map((kind) => readlinkSync(`/proc/${state.pid}/ns/${kind}`)),
  );
  const members = (): string[] => processesIn(namespaces);
  for (const pid of members()) namespaces.add(readlinkSync(`/proc/${pid}/ns/net`));
  assert.ok(namespaces.size >= 5, 'its own, and one network for each pod');
  assert.deepEqual(marksOnHost({ directory }), []);
  return { outer, ended, said, directory, pid: state.pid, state, namespaces, members };
}

function startUp(
  directory: string,
  options: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Pick<Mesh, 'outer' | 'ended' | 'said'> {
  const args = [join(root, 'src/app/main.ts'), 'up', directory, ...options];
  const outer = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ENVOY_PATH: findEnvoy(), ...env },
  });
  let text = '';
  for (const stream of [outer.stdout, outer.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const ended = new Promise<number | null>((resolve) => outer.on('close', resolve));
  return { outer, ended, said: () => text };
}

async function assertNothingLeft(mesh: Mesh): Promise<void> {
  await eventually(
    () => mesh.members().length === 0,
    () => `still there: ${mesh.members().map(commandOf).join('\n')}`,
  );
  assert.deepEqual(marksOnHost(mesh), []);
}

/** Marks of a mesh on the machine itself: links, addresses, rules, mounts, sockets. There are none even while it runs. */
function marksOnHost({ directory }: Pick<Mesh, 'directory'>): string[] {
  const links = execFileSync('ip', ['-o', 'addr'], { encoding: 'utf8' });
  const rules = execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' });
  const mounts = readFileSync('/proc/mounts', 'utf8');
  const sockets = readFileSync('/proc/net/unix', 'utf8');
  return [
    ...links.split('\n').filter((line) => /weft0|\bpod\d+|10\.244\./.test(line)),
    ...rules.split('\n').filter((line) => /table .*weft/.test(line)),
    ...mounts
      .split('\n')
      .filter((line) => /^weft |\/run\/weft|default_sleeper/.test(line) || line.includes(directory)),
    ...sockets.split('\n').filter((line) => line.includes('/run/weft/') || line.includes(directory)),
  ];
}

function processesIn(namespaces: ReadonlySet<string>): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return ['net', 'mnt', 'pid'].some((kind) => namespaces.has(readlinkSync(`/proc/${name}/ns/${kind}`)));
    } catch {
      // It ended while we looked; that is what we want of it.
      return false;
    }
  });
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

async function eventually(holds: () => boolean, why: () => string): Promise<void> {
  for (let turn = 0; turn < 400; turn++) {
    if (holds()) return;
    await sleep(50);
  }
  assert.fail(why());
}

const podYaml = `apiVersion: apps/v1
kind: Deployment
metadata: {name: sleeper, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: sleeper}}
  template:
    metadata:
      labels: {app: sleeper}
      annotations:
        sidecar.istio.io/inject: "false"
        weft.dev/run: trap '' TERM; sleep 9998 & sleep 9999; wait
    spec:
      containers: [{name: app, image: none}]
      terminationGracePeriodSeconds: 1
`;
