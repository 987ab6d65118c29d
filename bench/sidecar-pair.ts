/**
 * B13: what a request costs on its way through two sidecars with mTLS, as the mesh configures them, against two plain
 * Envoys that someone configured by hand with the same TLS, one route, and nothing else. All Envoys run on one core; the
 * caller and the app on the other.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectNamespaces, type Namespace, startNamespace } from '../test/support/namespace.ts';
import { clientTls, plainApp, plainProxy, serverTls } from './lab/plain-pair.ts';
import { type Child, startChild } from './support/child.ts';
import { createCredentials } from './support/credentials.ts';
import { type Envoy, type Lab, sidecarDirectory, startLab, startSidecar } from './support/lab.ts';
import {
  clusterIp,
  meshedPod,
  namespace,
  namespaceObject,
  type Pod,
  podName,
  serviceName,
  serviceOf,
  servicePort,
  sliceWith,
} from './support/manifests.ts';
import { inTurns, median, printTable, ratio, show } from './support/measure.ts';

const rounds = 8;
const rate = 1000;
const seconds = 4;
const lines = 16;
const client: Pod = { name: 'client', app: 'client' };
const server: Pod = { name: podName(0, 0), app: serviceName(0) };
const [clientIp, serverIp] = ['10.250.0.1', '10.250.0.2'];
/** Envoys on the first core, the rest on the second. */
const [envoyCore, otherCore] = [0, 1];

export async function run(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const logged = await meshPair(stack, true);
  const silent = await meshPair(stack, false);
  const plain = await plainPair(stack, logged.lab.root);
  const blocks = { mesh: [] as Block[], silent: [] as Block[], plain: [] as Block[] };
  const measured = (pair: Pair, into: Block[]) => async (): Promise<number> => {
    const block = await measure(pair);
    into.push(block);
    return block.p50;
  };
  for (const pair of [logged, silent, plain]) await measure(pair);
  await inTurns(
    {
      mesh: measured(logged, blocks.mesh),
      silent: measured(silent, blocks.silent),
      plain: measured(plain, blocks.plain),
    },
    rounds,
  );
  const row = (pair: string, of: readonly Block[]) => {
    const cell = (field: keyof Block): Record<string, string> => {
      const [values, floor] = [of, blocks.plain].map((list) => list.map((block) => block[field]));
      const times = of === blocks.plain ? '' : ` (${show(ratio(values ?? [], floor ?? []))}×)`;
      return { [`${field} µs`]: `${show(median(values ?? []))}${times}` };
    };
    return { pair, ...cell('p50'), ...cell('p90'), ...cell('p99'), ...cell('cpu') };
  };
  printTable(
    `B13 a pair of sidecars at ${rate} requests/s, 1 kB, ${lines} connections; cpu of both Envoys per request`,
    [
      row('mesh', blocks.mesh),
      row('mesh without access log', blocks.silent),
      row('plain Envoys', blocks.plain),
    ],
  );
}

type Pair = {
  readonly caller: Child;
  readonly target: { readonly host: string; readonly port: number; readonly path: string };
  readonly envoys: readonly Envoy[];
};

/** Microseconds. */
type Block = { readonly p50: number; readonly p90: number; readonly p99: number; readonly cpu: number };

async function measure({ caller, target, envoys }: Pair): Promise<Block> {
  const cpu = (): number => envoys.reduce((sum, { pid }) => sum + cpuOf(pid), 0);
  const before = cpu();
  const result = await caller.ask<Block & { sent: number; failures: Readonly<Record<string, number>> }>({
    ...{ kind: 'load', target, rate, seconds, lines },
  });
  if (Object.keys(result.failures).length > 0)
    throw new Error(`of ${result.sent} requests failed: ${JSON.stringify(result.failures)}`);
  const { p50, p90, p99, sent } = result;
  return { p50, p90, p99, cpu: (cpu() - before) / sent };
}

/** Microseconds of CPU of a process, from its ticks of ten milliseconds. */
function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

type Networks = { readonly near: Namespace; readonly far: Namespace; readonly caller: Child };

/** A caller's network and an app's, with a wire between them. */
async function startNetworks(stack: AsyncDisposableStack, directory: string): Promise<Networks> {
  const near = stack.use(await startNamespace());
  const far = stack.use(await startNamespace());
  connectNamespaces(near, far);
  const config = join(directory, 'app.json');
  await writeFile(config, plainApp(serverIp, servicePort));
  stack.use(startSidecar({ net: far, config, core: otherCore, uid: 65_534 }));
  const through = ['nsenter', `--net=${near.path}`, 'taskset', '-c', String(otherCore)];
  return { near, far, caller: stack.use(await startChild('lab/caller.ts', { through })) };
}

async function meshPair(
  stack: AsyncDisposableStack,
  accessLog: boolean,
): Promise<Pair & { readonly lab: Lab }> {
  const lab = stack.use(await startLab({ accessLog }));
  await lab.write('objects/all', [namespaceObject, serviceOf(0)]);
  const targetRef = { kind: 'Pod', namespace, name: server.name };
  await lab.write('cluster/all', [
    meshedPod(client, clientIp),
    meshedPod(server, serverIp),
    sliceWith(0, [{ addresses: [serverIp], conditions: { ready: true }, targetRef }]),
  ]);
  const { near, far, caller } = await startNetworks(stack, lab.root);
  await lab.put(client, near);
  await lab.put(server, far);
  const envoys = [
    stack.use(startSidecar({ net: near, config: await lab.bootstrap(client), core: envoyCore })),
    stack.use(startSidecar({ net: far, config: await lab.bootstrap(server), core: envoyCore })),
  ];
  return ready({ caller, envoys, target: { host: clusterIp(0), port: servicePort, path: '/' } }, lab);
}

async function plainPair(stack: AsyncDisposableStack, root: string): Promise<Pair> {
  const issue = await createCredentials(join(root, 'plain-ca'));
  const config = async ({ app }: Pod, proxy: (files: Files) => string): Promise<string> => {
    const { key, chain, roots } = await issue(app);
    const at = await sidecarDirectory(join(root, `plain-${app}`), { key, chain, roots });
    await writeFile(at('envoy.json'), proxy({ key: at('key'), chain: at('chain'), roots: at('roots') }));
    return at('envoy.json');
  };
  const { near, far, caller } = await startNetworks(stack, root);
  const clientConfig = await config(client, (files) =>
    plainProxy({
      listen: [clientIp, 15_001],
      upstream: [serverIp, 15_006],
      upstreamTls: clientTls(files, spiffe(server)),
    }),
  );
  const serverConfig = await config(server, (files) =>
    plainProxy({
      listen: [serverIp, 15_006],
      upstream: [serverIp, servicePort],
      downstreamTls: serverTls(files, spiffe(client)),
    }),
  );
  const envoys = [
    stack.use(startSidecar({ net: near, config: clientConfig, core: envoyCore })),
    stack.use(startSidecar({ net: far, config: serverConfig, core: envoyCore })),
  ];
  return ready({ caller, envoys, target: { host: clientIp, port: 15_001, path: '/' } }, {});
}

type Files = { readonly key: string; readonly chain: string; readonly roots: string };

async function ready<T>(pair: Pair, rest: T): Promise<Pair & { lab: T }> {
  await pair.caller.ask({ kind: 'untilOk', target: pair.target, withinMs: 20_000 });
  // The app's endpoint may have come a moment after the rest.
  await sleep(500);
  return { ...pair, lab: rest };
}

function spiffe({ app }: Pod): string {
  return `spiffe://cluster.local/ns/${namespace}/sa/${app}`;
}
