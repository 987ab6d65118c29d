/** Whatever is changed in a mesh, and whatever of it dies, not one request of a steady stream may fail. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test, { after, before, type TestContext } from 'node:test';
import { backend, between, type Count, caller, namespace, service, split } from './support/lab.ts';
import { eventually, type Mesh, processesOf, startMesh } from './support/mesh.ts';
import { namespacesMissing } from './support/namespace.ts';

const skip = namespacesMissing();
const options = { skip };

let mesh: Mesh;
let serials: ReadonlyMap<string, string>;
before(async () => {
  if (skip !== false) return;
  mesh = await startMesh({
    files: {
      'namespace.yaml': namespace,
      'backend.yaml': service('backend', 'backend'),
      'v1.yaml': backend({ version: 'v1' }),
      'v2.yaml': backend({ version: 'v2' }),
      'caller.yaml': caller(500),
      'split.yaml': split({ v1: 100, v2: 0 }),
      target: '',
    },
    flags: ['--separate', '--cert-ttl', '1m'],
  });
  serials = await certificateSerials();
  await mesh.write('target', 'http://backend/');
  await answered(['v1']);
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

/** Waits for a hundred answers in a row from just these. */
async function answered(says: readonly string[], by: 'answers' | 'pods' = 'answers'): Promise<void> {
  const wanted = [...says].sort();
  let seen: readonly string[] = [];
  await eventually(
    () => `${wanted} answer, not ${seen}`,
    async () => {
      const first = await count();
      const second = await eventually('a hundred answers', async () => {
        const now = await count();
        if (now.target !== first.target) return now;
        return now.ok - first.ok >= 100 ? now : undefined;
      });
      seen = Object.keys(between(first[by], second[by])).sort();
      return first.target === second.target && seen.join() === wanted.join() ? true : undefined;
    },
  );
}

let seen = { sent: 0, failed: 0 };

/** Every test ends with this: of the requests since the one before not one has failed. */
async function noneFailed(t: TestContext): Promise<void> {
  const before = seen;
  const { sent, failed, failures } = await count();
  seen = { sent, failed };
  const own = failed - before.failed;
  t.diagnostic(`${own} of ${sent - before.sent} requests failed`);
  if (own > 0) {
    const proxy = await mesh.logs('caller', 'proxy');
    t.diagnostic(
      proxy
        .filter((line) => / 50\d /.test(line))
        .slice(-3)
        .join('\n'),
    );
  }
  assert.equal(own, 0, JSON.stringify(failures, undefined, 2));
}

/** Asked by the caller's own user, through its sidecar, beside the stream. */
async function callOnce(path: string): Promise<string> {
  const pod = await mesh.pod('caller');
  const url = `http://backend${path}`;
  const { stdout } = await mesh.asProcessOf(pod, 'app', [
    'curl',
    '-s',
    '-o',
    '/dev/null',
    '-w',
    '%{http_code}',
    url,
  ]);
  return stdout;
}

type EnvoyClusters = {
  readonly cluster_statuses: readonly {
    readonly name: string;
    readonly host_statuses?: readonly unknown[];
  }[];
};

/** How many endpoints of a Service the caller's Envoy knows; `undefined` when it does not know the Service. */
async function endpointsOf(name: string): Promise<number | undefined> {
  const { pod } = await mesh.pod('caller');
  const { body } = await mesh.ask('agent.sock', `/workloads/lab/${pod}/envoy/clusters?format=json`);
  const clusters: EnvoyClusters = JSON.parse(body);
  const found = clusters.cluster_statuses.find((cluster) =>
    cluster.name.endsWith(`|${name}.lab.svc.cluster.local`),
  );
  return found === undefined ? undefined : (found.host_statuses ?? []).length;
}

async function certificateSerials(): Promise<ReadonlyMap<string, string>> {
  const pods = (await mesh.pods()).filter(({ meshed, ready }) => meshed && ready);
  const found = await Promise.all(
    pods.map(async ({ namespace: where, pod }): Promise<[string, string]> => {
      const { body } = await mesh.ask('agent.sock', `/workloads/${where}/${pod}/envoy/certs`);
      const { certificates } = JSON.parse(body);
      return [pod, String(certificates[0]?.cert_chain[0]?.serial_number)];
    }),
  );
  return new Map(found);
}

/** A part of the mesh, told by its command line. */
async function partPid(part: 'control-plane' | 'node-agent'): Promise<number | undefined> {
  for (const { pid } of await processesOf(mesh.pid)) {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (words.includes('internal') && words[words.indexOf('internal') + 1] === part) return pid;
  }
  return undefined;
}

async function killPart(part: 'control-plane' | 'node-agent'): Promise<void> {
  const pid = await partPid(part);
  assert.ok(pid !== undefined);
  process.kill(pid, 'SIGKILL');
  await eventually(`another ${part} runs`, async () => {
    const now = await partPid(part);
    return now !== undefined && now !== pid ? true : undefined;
  });
}

test('weights are shifted twenty times', options, async (t) => {
  for (let turn = 0; turn < 5; turn++) {
    await mesh.write('split.yaml', split({ v1: 0, v2: 100 }));
    await answered(['v2']);
    await mesh.write('split.yaml', split({ v1: 50, v2: 50 }));
    await answered(['v1', 'v2']);
    await mesh.write('split.yaml', split({ v1: 100, v2: 0 }));
    await answered(['v1']);
    await mesh.write('split.yaml', split({ v1: 20, v2: 80 }));
    await answered(['v1', 'v2']);
  }
  await noneFailed(t);
});

test('a subset gets another name, and routes follow in the same write', options, async (t) => {
  await mesh.write('split.yaml', split({ next: 100 }, { subsets: { v1: 'v1', next: 'v2' } }));
  await answered(['v2']);
  await mesh.write('split.yaml', split({ old: 100 }, { subsets: { old: 'v1', next: 'v2' } }));
  await answered(['v1']);
  await mesh.write('split.yaml', split({ v1: 50, v2: 50 }));
  await answered(['v1', 'v2']);
  await noneFailed(t);
});

test('a backend is added, renamed in one write, and removed', options, async (t) => {
  const routeTo = (host: string): string => `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: backend, namespace: lab }
spec:
  hosts: [backend]
  http: [{ route: [{ destination: { host: ${host} } }] }]
`;
  await mesh.write('other.yaml', backend({ app: 'other', version: 'v3' }));
  await eventually('the other backend is ready', async () => {
    const pods = await mesh.pods('other-v3');
    return pods.length === 2 && pods.every(({ ready }) => ready) ? true : undefined;
  });
  const names = ['first', 'second', 'third', 'fourth'];
  await mesh.write('split.yaml', split({ v1: 50, v2: 50 }) + service('first', 'other'));
  for (const [index, name] of names.entries()) {
    await eventually(`${name} has endpoints`, async () =>
      (await endpointsOf(name)) === 2 ? true : undefined,
    );
    // One write: the one before goes, this one is routed to, and the one after comes.
    const next = names[index + 1];
    await mesh.write(
      'split.yaml',
      service(name, 'other') + (next === undefined ? '' : service(next, 'other')) + routeTo(name),
    );
    await answered(['v3']);
    const before = names[index - 1];
    if (before !== undefined) {
      await eventually(`${before} is gone`, async () =>
        (await endpointsOf(before)) === undefined ? true : undefined,
      );
    }
  }
  await mesh.write('split.yaml', split({ v1: 50, v2: 50 }));
  await answered(['v1', 'v2']);
  await mesh.remove('other.yaml');
  await eventually('the other backend is gone', async () =>
    (await mesh.pods('other-v3')).length === 0 ? true : undefined,
  );
  await noneFailed(t);
});

test(
  'a Service gets another name: the new one first, then the callers, then the old one goes',
  options,
  async (t) => {
    await mesh.write('next.yaml', service('next', 'backend'));
    await eventually('every proxy knows the new name', async () =>
      (await mesh.weft('proxy', 'config', 'clusters', 'caller')).stdout.includes('next.lab.svc')
        ? true
        : undefined,
    );
    await mesh.settled();
    await mesh.write('target', 'http://next/');
    await answered(['v1', 'v2']);
    await mesh.remove('split.yaml');
    await mesh.remove('backend.yaml');
    await eventually('no proxy knows the old name', async () => {
      const { stdout } = await mesh.weft('proxy', 'config', 'clusters', 'caller');
      return stdout.includes('backend.lab.svc') ? undefined : true;
    });
    await answered(['v1', 'v2']);
    await mesh.write('backend.yaml', service('backend', 'backend'));
    await mesh.write('split.yaml', split({ v1: 50, v2: 50 }));
    await eventually('every proxy knows the old name again', async () =>
      (await mesh.weft('proxy', 'config', 'clusters', 'caller')).stdout.includes('backend.lab.svc')
        ? true
        : undefined,
    );
    await mesh.settled();
    await mesh.write('target', 'http://backend/');
    await answered(['v1', 'v2']);
    await mesh.remove('next.yaml');
    await noneFailed(t);
  },
);

test('timeouts come, change and go', options, async (t) => {
  for (const [rule, status] of [
    ['timeout: 500ms', '504'],
    ['timeout: 10s', '200'],
    ['timeout: 700ms', '504'],
    ['', '200'],
  ] as const) {
    await mesh.write('split.yaml', split({ v1: 50, v2: 50 }, { rule }));
    await eventually(`an answer that takes 1.5 s is ${status}`, async () =>
      (await callOnce('/?ms=1500')) === status ? true : undefined,
    );
  }
  await noneFailed(t);
});

test('access rules that keep allowing come, change and go', options, async (t) => {
  const policy = (action: string, rule: string): string => `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: backend-${action.toLowerCase()}, namespace: lab }
spec:
  selector: { matchLabels: { app: backend } }
  action: ${action}
  rules: [${rule}]
`;
  const from = '{ from: [{ source: { principals: [cluster.local/ns/lab/sa/caller] } }] }';
  const get =
    '{ from: [{ source: { namespaces: [lab] } }], to: [{ operation: { methods: [GET], paths: ["/", "/open"] } }] }';
  const status = async (path: string, wanted: string): Promise<void> => {
    await eventually(`${path} is ${wanted}`, async () =>
      (await callOnce(path)) === wanted ? true : undefined,
    );
  };
  await mesh.write('deny.yaml', policy('DENY', '{ to: [{ operation: { paths: [/closed] } }] }'));
  await status('/closed', '403');
  await mesh.write('allow.yaml', policy('ALLOW', from));
  await mesh.remove('deny.yaml');
  await status('/closed', '200');
  await mesh.write('allow.yaml', policy('ALLOW', get));
  await status('/closed', '403');
  await status('/open', '200');
  await mesh.remove('allow.yaml');
  await status('/closed', '200');
  await noneFailed(t);
});

test('backends scale up and down', options, async (t) => {
  for (const replicas of [4, 1, 3, 2]) {
    await mesh.write('v1.yaml', backend({ version: 'v1', replicas }));
    const pods = await eventually(`${replicas} pods run`, async () => {
      const all = await mesh.pods('backend-v1');
      return all.length === replicas && all.every(({ ready }) => ready) ? all : undefined;
    });
    const others = await mesh.pods('backend-v2');
    await answered(
      [...pods, ...others].map(({ pod }) => pod),
      'pods',
    );
  }
  await noneFailed(t);
});

test('a Deployment is rolled over to a new template', options, async (t) => {
  for (const says of ['newer', 'newest']) {
    await mesh.write('v1.yaml', backend({ version: 'v1', says }));
    await answered([says, 'v2']);
    await eventually('the old pods are gone', async () =>
      (await mesh.pods('backend-v1')).length === 2 ? true : undefined,
    );
  }
  await noneFailed(t);
});

test('the control plane is killed, and comes back', options, async (t) => {
  for (let turn = 0; turn < 2; turn++) {
    await killPart('control-plane');
    await mesh.settled();
    await mesh.write('split.yaml', split({ v1: 0, v2: 100 }));
    await answered(['v2']);
    await mesh.write('split.yaml', split({ v1: 50, v2: 50 }));
    await answered(['newest', 'v2']);
  }
  await noneFailed(t);
});

test('the node agent is killed, and comes back', options, async (t) => {
  for (let turn = 0; turn < 2; turn++) {
    await killPart('node-agent');
    await mesh.settled();
    await mesh.write('split.yaml', split({ v1: 0, v2: 100 }));
    await answered(['v2']);
    await mesh.write('split.yaml', split({ v1: 50, v2: 50 }));
    await answered(['newest', 'v2']);
  }
  await noneFailed(t);
});

test('certificates are renewed while they are in use', options, async (t) => {
  const first = serials.size === 0 ? await certificateSerials() : serials;
  await eventually('every proxy that was there at the start has another certificate', async () => {
    const now = await certificateSerials();
    const old = [...first].filter(([pod]) => now.has(pod));
    assert.ok(old.length > 0);
    return old.every(([pod, serial]) => now.get(pod) !== serial) ? true : undefined;
  });
  await answered(['newest', 'v2']);
  await noneFailed(t);
});
