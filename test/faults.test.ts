/** Parts of a mesh die, hang and lose what they stand on; traffic goes on, nothing opens, and all of it mends itself. */
import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { backend, type Count, caller, namespace, service, split } from './support/lab.ts';
import { eventually, type Mesh, type MeshPod, processesOf, startMesh } from './support/mesh.ts';
import { namespacesMissing } from './support/namespace.ts';

const skip = namespacesMissing();
const options = { skip };

const strict = `---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: lab }
spec: { mtls: { mode: STRICT } }
`;

function pod(name: string, command: string, labels: string): string {
  return `---
apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  namespace: lab
  labels: { app: ${name}${labels} }
  annotations: { weft.dev/run: '${command}' }
spec:
  containers: [{ name: app, image: ${name} }]
`;
}

let mesh: Mesh;
before(async () => {
  if (skip !== false) return;
  mesh = await startMesh({
    files: {
      'namespace.yaml': namespace + strict,
      'backend.yaml': service('backend', 'backend'),
      'v1.yaml': backend({ version: 'v1', replicas: 1 }),
      'v2.yaml': backend({ version: 'v2', replicas: 1 }),
      'caller.yaml': caller(100),
      'split.yaml': split({ v1: 100, v2: 0 }),
      'outsider.yaml': pod('outsider', 'sleep 100000', ', sidecar.istio.io/inject: "false"'),
      target: '',
    },
    flags: ['--separate'],
  });
  await mesh.write('target', 'http://backend/');
  await becomes(['v1']);
});
after(async () => {
  if (skip === false) await mesh[Symbol.asyncDispose]();
});

async function count(): Promise<Count> {
  return await eventually('the caller speaks', async () => {
    const line = (await mesh.logs('caller')).findLast((text) => text.startsWith('{"target"'));
    return line === undefined ? undefined : JSON.parse(line);
  });
}

/** What answers fifty calls from now on: versions, or `failed`. */
async function answering(): Promise<readonly string[]> {
  const first = await count();
  const last = await eventually('fifty calls', async () => {
    const now = await count();
    return now.sent - first.sent >= 50 ? now : undefined;
  });
  const versions = Object.keys(last.answers).filter((name) => last.answers[name] !== first.answers[name]);
  return [...versions, ...(last.failed > first.failed ? ['failed'] : [])].sort();
}

async function becomes(wanted: readonly string[]): Promise<void> {
  let seen: readonly string[] = [];
  await eventually(
    () => `${wanted} answers, not ${seen}`,
    async () => {
      seen = await answering();
      return seen.join() === wanted.join() ? true : undefined;
    },
    { tries: 100 },
  );
}

/** Runs `work`, in which not one request may fail. */
async function nothingFails(work: () => Promise<void>): Promise<void> {
  const before = await count();
  await work();
  const now = await count();
  assert.equal(now.failed - before.failed, 0, JSON.stringify(now.failures));
}

async function partPid(part: 'control-plane' | 'node-agent'): Promise<number | undefined> {
  for (const { pid } of await processesOf(mesh.pid)) {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (words.includes('internal') && words[words.indexOf('internal') + 1] === part) return pid;
  }
  return undefined;
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It was quicker.
    if (Object(error).code !== 'ESRCH') throw error;
  }
}

/** Kills something again and again, as soon as it is there, while `work` runs. */
async function heldDown(find: () => Promise<number | undefined>, work: () => Promise<void>): Promise<void> {
  let working = true;
  const killing = (async () => {
    while (working) {
      const pid = await find();
      if (pid !== undefined) killIfThere(pid);
      await sleep(20);
    }
  })();
  try {
    await work();
  } finally {
    working = false;
    await killing;
  }
}

/** Sends plaintext to a pod's port from outside the mesh, and gives what came back. */
async function plaintextTo({ ip }: MeshPod): Promise<string> {
  const command = ['curl', '-s', '--max-time', '5', `http://${ip}:8080/`];
  return (await mesh.inNamespaceOf(await mesh.pod('outsider'), command)).stdout;
}

async function proxyOf(workload: string): Promise<number | undefined> {
  const { pids } = await mesh.pod(workload);
  return pids.proxy === 0 ? undefined : await mesh.hostPid(pids.proxy).catch(() => undefined);
}

test(
  'the control plane is down: traffic goes on, and a sidecar that dies comes back as it was',
  options,
  async () => {
    const before = await mesh.pod('backend-v2');
    await heldDown(
      () => partPid('control-plane'),
      async () => {
        await nothingFails(async () => {
          await becomes(['v1']);
          const proxy = await proxyOf('backend-v2');
          assert.ok(proxy !== undefined);
          killIfThere(proxy);
          await eventually('another sidecar is ready', async () => {
            const now = await mesh.pod('backend-v2');
            return now.ready && now.proxyRestarts > before.proxyRestarts ? true : undefined;
          });
        });
        assert.equal((await mesh.weft('status')).code, 69, 'the control plane is down indeed');
      },
    );
    await mesh.settled();
    await nothingFails(async () => {
      await mesh.write('split.yaml', split({ v1: 0, v2: 100 }));
      await becomes(['v2']);
      await mesh.write('split.yaml', split({ v1: 100, v2: 0 }));
      await becomes(['v1']);
    });
  },
);

test('the node agent is down: traffic goes on', options, async () => {
  await heldDown(
    () => partPid('node-agent'),
    () => nothingFails(() => becomes(['v1'])),
  );
  await mesh.settled();
  await mesh.write('split.yaml', split({ v1: 0, v2: 100 }));
  await becomes(['v2']);
  await mesh.write('split.yaml', split({ v1: 100, v2: 0 }));
  await becomes(['v1']);
});

test('the sidecar of a server is down: its port is closed, not open', options, async () => {
  const target = await mesh.pod('backend-v1');
  assert.equal(await plaintextTo(target), '', 'STRICT');
  await heldDown(
    () => proxyOf('backend-v1'),
    async () => {
      await eventually('its calls fail', async () =>
        (await answering()).includes('failed') ? true : undefined,
      );
      for (let turn = 0; turn < 20; turn++) assert.equal(await plaintextTo(target), '');
    },
  );
  await becomes(['v1']);
  assert.equal((await mesh.pod('backend-v1')).pids.app, target.pids.app, 'the app never noticed');
});

test('the sidecar of a client is down: nothing leaves it in plaintext', options, async () => {
  const from = await mesh.pod('caller');
  const to = await mesh.pod('backend-v1');
  await heldDown(
    () => proxyOf('caller'),
    async () => {
      await eventually('its calls fail', async () =>
        (await answering()).includes('failed') ? true : undefined,
      );
      for (const url of ['http://backend/', `http://${to.ip}:8080/`]) {
        const { stdout } = await mesh.asProcessOf(from, 'app', ['curl', '-s', '--max-time', '5', url]);
        assert.equal(stdout, '');
      }
    },
  );
  await becomes(['v1']);
});

test('an app that crashes is started again, ever later, and nobody else notices', options, async () => {
  await nothingFails(async () => {
    await mesh.write('crashing.yaml', pod('crashing', 'echo once; exit 3', ''));
    const crashed = await eventually('it has crashed three times', async () => {
      const [one] = await mesh.pods('crashing');
      return one !== undefined && one.restarts >= 3 ? one : undefined;
    });
    assert.match(crashed.message, /exit code 3|\(3\).*started again in \d/);
    assert.equal(crashed.ready, false);
    const waits = (await mesh.logs('crashing')).flatMap(
      (line) => /again in ([\d.]+) s/.exec(line)?.[1] ?? [],
    );
    assert.ok(Number(waits[2]) > Number(waits[1]) && Number(waits[1]) > Number(waits[0]), waits.join());
    await mesh.write('crashing.yaml', pod('crashing', 'sleep 100000', ''));
    await eventually('it runs', async () => ((await mesh.pods('crashing'))[0]?.ready ? true : undefined));
    await becomes(['v1']);
  });
});

test(
  'the state directory is removed: traffic goes on, changes too, and the end is as clean',
  options,
  async () => {
    await nothingFails(async () => {
      await rm(join(mesh.directory, '.weft'), { recursive: true });
      await mesh.write('split.yaml', split({ v1: 0, v2: 100 }));
      await becomes(['v2']);
      await mesh.write('v1.yaml', backend({ version: 'v1', replicas: 2 }));
      await eventually('a new pod gets its certificate', async () => {
        const pods = await mesh.pods('backend-v1');
        return pods.length === 2 && pods.every(({ ready }) => ready) ? true : undefined;
      });
      await mesh.write('split.yaml', split({ v1: 100, v2: 0 }));
      await becomes(['v1']);
    });
  },
);
