/** The local runtime with real namespaces, processes, names and rules; its pods have no sidecars here. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createLogger, silentLogger } from '../src/base/log.ts';
import { runLocal } from '../src/local/local.ts';
import { addPodNetwork } from '../src/local/network.ts';
import { directorySource } from '../src/sources/sources.ts';
import { runInside, runsInside } from './support/namespaces.ts';

type Workload = {
  readonly pod: string;
  readonly workload: string;
  readonly ip: string;
  readonly ready: boolean;
  readonly phase: string;
  readonly restarts: number;
  readonly pids: { readonly app: number };
};

if (!runsInside()) {
  test('the local runtime, in namespaces of its own', () => {
    const { code, output } = runInside(import.meta.filename);
    assert.equal(code, 0, output);
  });
} else {
  insideTests();
}

function insideTests(): void {
  const end = new AbortController();
  const log: string[] = [];
  let directory = '';
  let done: Promise<void> = Promise.resolve();

  /** Written beside and moved in, as editors do. */
  const write = async (name: string, text: string): Promise<void> => {
    await writeFile(join(directory, '.new'), text);
    await rename(join(directory, '.new'), join(directory, name));
  };

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'weft-local-'));
    await promisify(execFile)('chmod', ['755', directory]);
    await write('web.yaml', deployment('web', { replicas: 2, says: 'one' }) + service('web', 80));
    await write('client.yaml', deployment('client', { run: 'sleep 1000' }));
    await write('silent.yaml', deployment('silent', { run: '' }));
    done = runLocal(
      {
        source: directorySource({ directory, serviceCidr: '10.96.0.0/16', log: silentLogger }),
        directory,
        stateDirectory: join(directory, '.weft'),
        extraPath: [],
        envoy: '',
        agentSocket: '/run/weft/agent.sock',
        socket: '/run/weft/runtime.sock',
        clusterDirectory: '/run/weft/cluster',
        bootstrap: () => '',
        issueToken: async () => '',
        clock: Date.now,
        random: Math.random,
        newUid: randomUUID,
        firstUid: 10_000,
        log: createLogger((line) => log.push(line), Date.now),
        concurrency: 4,
      },
      end.signal,
    );
    await eventually(async () => (await ready('web')).length === 2 && (await ready('client')).length === 1);
  });

  after(async () => {
    end.abort();
    await done;
  });

  test('pods are nobody, and see nothing of the mesh', async () => {
    const [web] = await ready('web');
    const status = await readFile(`/proc/${web?.pids.app}/status`, 'utf8');
    assert.match(status, /^Uid:\s+1000\d\b/m);
    assert.match(status, /^CapBnd:\s+0+$/m);
    assert.match(status, /^CapEff:\s+0+$/m);
    assert.match(status, /^NoNewPrivs:\s+1$/m);
    const app = web?.pids.app ?? 0;
    assert.equal(await inPod(app, 'ls /run/weft /run/netns | tr -d "\\n"'), '/run/netns:/run/weft:');
    assert.equal(await inPod(app, 'ls -d /proc/[0-9]* | wc -l').then((count) => Number(count) < 12), true);
    await assert.rejects(inPod(app, 'kill -0 1'));
  });

  test('a pod is called by its own name, and the machine keeps its own', async () => {
    const [first, second] = await ready('web');
    const hostOf = async (pid = 0): Promise<string> =>
      (await promisify(execFile)('nsenter', ['-t', String(pid), '--uts', 'hostname'])).stdout.trim();
    assert.deepEqual(await Promise.all([first, second].map(async (web) => await hostOf(web?.pids.app))), [
      first?.pod,
      second?.pod,
    ]);
    assert.equal(await hostOf(process.pid), hostname());
    assert.notEqual(hostname(), first?.pod);
    const environment = await readFile(`/proc/${first?.pids.app}/environ`, 'utf8');
    assert.ok(environment.split('\0').includes(`HOSTNAME=${first?.pod}`));
    // Nobody stays beside the app to see to that.
    const children = await readFile(`/proc/${first?.pids.app}/task/${first?.pids.app}/children`, 'utf8');
    assert.equal(children, '');
  });

  test('names and addresses lead to ready pods', async () => {
    const [client] = await ready('client');
    const app = client?.pids.app ?? 0;
    // Each request on a connection of its own: the choice is made for each connection.
    const many =
      'for (let n = 0; n < 40; n++) await new Promise((done) => http.get({host: "web", agent: false}, (r) => r.on("data", (d) => console.log(String(d))).on("end", done)))';
    const said = await inPod(
      app,
      `${process.execPath} --input-type=module -e 'import http from "http"; ${many}'`,
    );
    const seen = new Set(said.split('\n'));
    const pods = (await ready('web')).map(({ pod }) => `one ${pod}`);
    assert.deepEqual([...seen].sort(), pods.sort());
    assert.equal(
      await fetchInPod(app, 'http://web.shop.svc.cluster.local/').then((text) => text.slice(0, 3)),
      'one',
    );
    assert.match(await fetchInPod(app, 'http://nowhere/'), /ENOTFOUND/);
    assert.match(await fetchInPod(app, 'http://10.96.255.1/'), /ECONNREFUSED/);
  });

  test('what runs is published as a cluster would', async () => {
    const files = await readdir('/run/weft/cluster');
    const slice = files.find((name) => name.startsWith('endpointslice_shop_web'));
    const text = await readFile(join('/run/weft/cluster', slice ?? ''), 'utf8');
    const ips = (await ready('web')).map(({ ip }) => ip).sort();
    const { endpoints } = JSON.parse(text) as { endpoints: { addresses: string[]; conditions: object }[] };
    assert.deepEqual(
      endpoints.map(({ addresses }) => addresses[0]),
      ips,
    );
    const pods = directorySource({
      directory: '/run/weft/cluster',
      serviceCidr: '10.96.0.0/16',
      log: silentLogger,
    });
    for await (const events of pods.events(AbortSignal.timeout(10_000))) {
      assert.deepEqual(
        events.filter(({ kind }) => kind === 'problems').flatMap((e) => ('problems' in e ? e.problems : [])),
        [],
      );
      assert.ok(events.filter((e) => e.kind === 'applied' && e.object.kind === 'Pod').length >= 3);
      break;
    }
  });

  test('a Deployment without a command line is a warning', async () => {
    const { problems } = await ask('/v1/problems');
    assert.deepEqual(
      (problems as { code: string; ref: { name: string } }[]).map(({ code, ref }) => [code, ref.name]),
      [['WEFT-1213', 'silent']],
    );
  });

  test('an app that cannot be started is never called ready, and its Pod says why', async () => {
    const crashing = async (): Promise<Workload | undefined> =>
      (await workloads()).find(({ workload }) => workload === 'crash');
    let wasReady = false;
    const published = new Set<string>();
    await write('crash.yaml', deployment('crash', { run: 'there-is-no-such-command' }));
    await eventually(async () => {
      const pod = await crashing();
      wasReady ||= pod?.ready === true;
      const file = join('/run/weft/cluster', `pod_shop_${pod?.pod}.json`);
      const text = await readFile(file, 'utf8').catch(() => '');
      if (text !== '') published.add(JSON.stringify(JSON.parse(text).status.containerStatuses[0]));
      return (pod?.restarts ?? 0) >= 2;
    });
    assert.equal(wasReady, false);
    const state = {
      waiting: {
        reason: 'CrashLoopBackOff',
        message: 'exit code 127: /bin/sh: 1: exec: there-is-no-such-command: not found',
      },
    };
    const statuses = [...published].map((text) => JSON.parse(text));
    const loops = statuses.filter((status) => status.restartCount > 0);
    assert.deepEqual(
      loops.map((status) => status.state),
      loops.map(() => state),
    );
    // Told once for each end, and not between them.
    assert.equal(new Set(loops.map(({ restartCount }) => restartCount)).size, loops.length);
    await write('crash.yaml', deployment('crash', { run: 'sleep 1003' }));
    await eventually(async () => (await crashing())?.ready === true);
    await write('crash.yaml', '');
    await eventually(async () => (await crashing()) === undefined);
  });

  test('a changed template rolls without a failed request', async () => {
    const [client] = await ready('client');
    const old = (await ready('web')).map(({ pod }) => pod);
    await write('web.yaml', deployment('web', { replicas: 2, says: 'two' }) + service('web', 80));
    const failed: string[] = [];
    await eventually(async () => {
      const said = await fetchInPod(client?.pids.app ?? 0, 'http://web/');
      if (!/^(one|two) /.test(said)) failed.push(said);
      const pods = (await workloads()).filter(({ workload }) => workload === 'web');
      return pods.length === 2 && pods.every(({ pod, ready: isReady }) => isReady && !old.includes(pod));
    });
    assert.deepEqual(failed, []);
    assert.match(await fetchInPod(client?.pids.app ?? 0, 'http://web/'), /^two /);
    // What an old pod held is free: its namespace, and with that its link.
    assert.equal((await readdir('/run/netns')).length, 3);
    const { stdout } = await promisify(execFile)('ip', ['-o', 'link', 'show', 'type', 'veth']);
    assert.equal(stdout.trim().split('\n').length, 3);
  });

  test('a crash takes the pod out until it is back, and is told in its log', async () => {
    const [web] = await ready('web');
    process.kill(web?.pids.app ?? 0, 'SIGKILL');
    await eventually(async () =>
      (await workloads()).some(({ pod, restarts }) => pod === web?.pod && restarts === 1),
    );
    const text = await readFile(await sliceFile(), 'utf8');
    assert.match(text, /"ready":false/);
    await eventually(async () => (await ready('web')).length === 2);
    const log = await askText(`/v1/logs?workload=shop/${web?.pod}`);
    const lines = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { text: string });
    assert.equal(lines[0]?.text, 'listening');
    assert.match(
      lines[1]?.text ?? '',
      /^\[weft\] the app ended \(signal SIGKILL\); started again in 0\.\d s$/,
    );
    assert.equal(lines[2]?.text, 'listening');
  });

  test('no app ends before its end could be published', async () => {
    const [client] = await ready('client');
    const failures = (): number[] =>
      log
        .filter((line) => line.includes('could not be brought together'))
        .map((line) => Date.parse(JSON.parse(line).time));
    await rename('/run/weft/cluster.new', '/run/weft/cluster.away');
    await write('web.yaml', deployment('web', { replicas: 1, says: 'two' }) + service('web', 80));
    // Long after an app would have ended that waits for nothing but its propagation.
    await eventually(async () => (failures().at(-1) ?? 0) - (failures()[0] ?? 0) > 1_500);
    const stopping = (await workloads()).filter(({ phase }) => phase === 'stopping');
    assert.equal(stopping.length, 1);
    const [going] = stopping;
    assert.match(await fetchInPod(client?.pids.app ?? 0, `http://${going?.ip}:8080/`), /^two /);
    await rename('/run/weft/cluster.away', '/run/weft/cluster.new');
    await eventually(async () => (await workloads()).every(({ pod }) => pod !== going?.pod));
    await write('web.yaml', deployment('web', { replicas: 2, says: 'two' }) + service('web', 80));
    await eventually(async () => (await ready('web')).length === 2);
  });

  test('new labels of pods and of their Service, in one save, cost no request', async () => {
    const [client] = await ready('client');
    const old = (await ready('web')).map(({ pod }) => pod);
    const renamed = (text: string): string =>
      text.replaceAll(/(selector: \{|matchLabels: \{|labels: \{)app: web/g, '$1app: shop');
    await write('web.yaml', renamed(deployment('web', { replicas: 2, says: 'three' }) + service('web', 80)));
    const failed: string[] = [];
    await eventually(async () => {
      const said = await fetchInPod(client?.pids.app ?? 0, 'http://web/');
      if (!/^(two|three) /.test(said)) failed.push(said);
      const pods = (await workloads()).filter(({ workload }) => workload === 'web');
      return pods.length === 2 && pods.every(({ pod, ready: isReady }) => isReady && !old.includes(pod));
    });
    assert.deepEqual(failed, []);
    assert.match(await fetchInPod(client?.pids.app ?? 0, 'http://web/'), /^three /);
  });

  test('what is deleted ends, with its children', async () => {
    await write('client.yaml', deployment('client', { run: 'sleep 1001 & sleep 1002; echo never' }));
    await eventually(
      async () => (await processes()).filter((line) => /^sleep 100[12]/.test(line)).length === 2,
    );
    await write('client.yaml', '');
    await eventually(async () => (await workloads()).every(({ workload }) => workload !== 'client'));
    assert.deepEqual(
      (await processes()).filter((line) => line.startsWith('sleep')),
      [],
    );
    assert.equal((await readdir('/run/netns')).length, 2);
  });

  test('a network that could not be made, or unmade, does not stand in the way of the next', async () => {
    const address = { index: 9_999, ip: '10.244.39.15', uid: 0, link: 'pod9999' };
    const trace = async (): Promise<readonly string[]> => {
      const { stdout } = await promisify(execFile)('ip', ['-o', 'link', 'show', 'type', 'veth']);
      return [...(await readdir('/run/netns')), ...stdout.split('\n')].filter((name) =>
        /halves|9999/.test(name),
      );
    };
    // The one fails before there is a link, the other after it, for want of a way to the gateway.
    for (const ip of ['no address', '10.245.0.2']) {
      await assert.rejects(addPodNetwork('shop_halves', { ...address, ip }), /WEFT-2501|`ip/);
      assert.deepEqual(await trace(), []);
    }
    await (await addPodNetwork('shop_halves', address)).remove();
    assert.deepEqual(await trace(), []);

    // Somebody took a part of it away: what is left goes all the same.
    const network = await addPodNetwork('shop_halves', address);
    await promisify(execFile)('ip', ['link', 'del', address.link]);
    await network.remove();
    assert.deepEqual(await trace(), []);

    // And what a removal left is no hindrance for ever.
    await promisify(execFile)('ip', ['netns', 'add', 'shop_halves']);
    await assert.rejects(addPodNetwork('shop_halves', address), /File exists/);
    await (await addPodNetwork('shop_halves', address)).remove();
  });

  async function sliceFile(): Promise<string> {
    const files = await readdir('/run/weft/cluster');
    return join('/run/weft/cluster', files.find((name) => name.startsWith('endpointslice_shop_web')) ?? '');
  }
}

function deployment(name: string, { replicas = 1, says = '', run = serverLine(says) }): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: shop}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata:
      labels: {app: ${name}}
      annotations:
        sidecar.istio.io/inject: "false"
        ${run === '' ? 'note: nothing to run' : `weft.dev/run: ${JSON.stringify(run)}`}
    spec:
      containers:
        - name: app
          image: none
          ${says === '' ? '' : 'ports: [{name: http, containerPort: 8080}]'}
---
`;
}

function serverLine(says: string): string {
  const program = `require("http").createServer((q, r) => r.end("${says} " + process.env.HOSTNAME)).listen(8080, () => console.log("listening"))`;
  return `exec ${process.execPath} -e '${program}'`;
}

function service(name: string, port: number): string {
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec:
  selector: {app: ${name}}
  ports: [{name: http, port: ${port}, targetPort: http}]
---
`;
}

/** In the pod's network and mounts, as the pod's user. */
async function inPod(pid: number, command: string): Promise<string> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const uid = /^Uid:\s+(\d+)/m.exec(status)?.[1] ?? '';
  const enter = ['-t', String(pid), '-m', '-n', 'setpriv', '--reuid', uid, '--regid', uid, '--clear-groups'];
  const { stdout } = await promisify(execFile)('nsenter', [...enter, 'sh', '-c', command]);
  return stdout.trim();
}

/** The body, or the error's code. */
async function fetchInPod(pid: number, url: string): Promise<string> {
  const program = `fetch("${url}").then((r) => r.text(), (e) => e.cause.code).then(console.log)`;
  return await inPod(pid, `${process.execPath} -e '${program}'`);
}

async function processes(): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['axo', 'args=']);
  return stdout.split('\n');
}

async function ready(workload: string): Promise<Workload[]> {
  return (await workloads()).filter((one) => one.workload === workload && one.ready);
}

async function workloads(): Promise<Workload[]> {
  const answer = await ask('/v1/workloads').catch(() => ({ workloads: [] }));
  // Our own API, at the version of this test.
  return answer.workloads as Workload[];
}

async function ask(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await askText(path)) as Record<string, unknown>;
}

async function askText(path: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const sent = request({ socketPath: '/run/weft/runtime.sock', path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    });
    sent.on('error', reject);
    sent.end();
  });
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 400; turn++) {
    if (await holds()) return;
    await sleep(50);
  }
  assert.fail('it did not come true in time');
}
