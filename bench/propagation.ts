/**
 * B1: from a saved file to the first request that the new route answers, through control plane, agent and a real Envoy;
 * against the same bytes handed to an identical Envoy by a server that does nothing else.
 */
import { chown } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { capture } from '../src/agent/capture.ts';
import { proxyUid } from '../src/model/names.ts';
import { type Resource, resourceTypes, typeUrls } from '../src/snapshot/resource.ts';
import type { Snapshot } from '../src/snapshot/snapshot.ts';
import { type Child, startChild } from './support/child.ts';
import { createCredentials } from './support/credentials.ts';
import {
  bootstrapOf,
  farEnd,
  type Lab,
  podEnd,
  sidecarDirectory,
  startLab,
  startPodNetwork,
  startSidecar,
} from './support/lab.ts';
import {
  clusterIp,
  type Manifest,
  meshedPod,
  namespace,
  namespaceObject,
  type Pod,
  serviceName,
  serviceOf,
  servicePort,
  sliceOf,
  sliceWith,
} from './support/manifests.ts';
import { inTurns, median, printTable, quantile, type Row, ratio, show } from './support/measure.ts';
import { createPipeline } from './support/pipeline.ts';

const rounds = 25;
const client: Pod = { name: 'client', app: 'client' };
export async function run(): Promise<void> {
  const rows: Row[] = [];
  for (const others of [0, 1000]) rows.push(await propagation(others));
  printTable('B1 saved file to first 200 of the new route (ms)', rows);
}

async function propagation(others: number): Promise<Row> {
  await using stack = new AsyncDisposableStack();
  const lab = stack.use(await startLab());
  await writeMesh(lab, others);
  const ours = await startOurs(lab, stack);
  const floor = await startFloor(lab.root, others, stack);
  await warm(ours, floor);
  let ourStep = 0;
  let floorStep = 0;
  const turns = await inTurns(
    {
      ours: () => timed(ours, ourStep, () => lab.write(`objects/new-${ourStep}`, [newRoute(ourStep++)])),
      floor: () => timed(floor.caller, floorStep, () => floor.push(floorStep++)),
    },
    rounds,
  );
  const added = median(turns.ours.map((value, turn) => value - (turns.floor[turn] ?? Number.NaN)));
  return {
    'other routes': others,
    'ours median': show(median(turns.ours)),
    'ours p90': show(quantile(turns.ours, 0.9)),
    'floor median': show(median(turns.floor)),
    'floor p90': show(quantile(turns.floor, 0.9)),
    'added (median)': show(added),
    ratio: show(ratio(turns.ours, turns.floor)),
  };
}

/** Someone asks every millisecond, and has asked for a while when the change comes. */
async function timed(caller: Child, step: number, change: () => Promise<void>): Promise<number> {
  const target = { host: clusterIp(0), port: servicePort, path: `/new-${step}` };
  const answered = caller.ask<string>({ kind: 'untilOk', target, withinMs: 20_000 });
  await sleep(20);
  const began = process.hrtime.bigint();
  await change();
  const ms = Number(BigInt(await answered) - began) / 1e6;
  await sleep(150);
  return ms;
}

async function warm(ours: Child, floor: { readonly caller: Child }): Promise<void> {
  const target = { host: clusterIp(0), port: servicePort, path: '/base' };
  for (const caller of [ours, floor.caller]) {
    await caller.ask({ kind: 'untilOk', target, withinMs: 30_000 }, 40_000);
  }
}

async function writeMesh(lab: Lab, others: number): Promise<void> {
  for (const [name, manifests] of objectFiles(others)) await lab.write(`objects/${name}`, manifests);
  await lab.write('cluster/all', published(others));
}

/** One file for each service, with its routes. */
function objectFiles(others: number): [string, readonly Manifest[]][] {
  const base = [namespaceObject, serviceOf(0), route('base', 0, '/base')];
  const files = otherServices(others).map((service): [string, Manifest[]] => {
    const routes = Array.from({ length: 10 }, (_, index) =>
      route(`${serviceName(service)}-${index}`, service, `/other-${index}`),
    );
    return [`other-${service}`, [serviceOf(service), ...routes]];
  });
  return [['base', base], ...files];
}

function otherServices(routes: number): number[] {
  return Array.from({ length: routes / 10 }, (_, index) => index + 1);
}

function published(others: number): readonly Manifest[] {
  const app = sliceWith(0, [{ addresses: [farEnd], conditions: { ready: true } }]);
  return [meshedPod(client, podEnd), app, ...otherServices(others).map((service) => sliceOf(service, 1))];
}

function newRoute(step: number): Manifest {
  return route(`new-${step}`, 0, `/new-${step}`);
}

function route(name: string, service: number, path: string): Manifest {
  const backend = { name: serviceName(service), port: servicePort };
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name, namespace },
    spec: {
      parentRefs: [{ group: '', kind: 'Service', ...backend }],
      rules: [{ matches: [{ path: { type: 'Exact', value: path } }], backendRefs: [backend] }],
    },
  };
}

async function startOurs(lab: Lab, stack: AsyncDisposableStack): Promise<Child> {
  const { net, caller } = await startPodNetwork(stack);
  await lab.put(client, net);
  stack.use(startSidecar({ net, config: await lab.bootstrap(client) }));
  return caller;
}

async function startFloor(root: string, others: number, stack: AsyncDisposableStack) {
  const { net, caller } = await startPodNetwork(stack);
  const directory = join(root, 'floor');
  const at = await sidecarDirectory(directory, { 'envoy.json': bootstrapOf(client, directory) });
  const pipeline = createPipeline();
  pipeline.apply([...objectFiles(others).flatMap(([, manifests]) => manifests), ...published(others)]);
  const credentials = await (await createCredentials(join(root, 'floor-ca')))(client.app);
  const ads = stack.use(await startChild('lab/plain-ads.ts'));
  const entries = [credentials.secrets, pipeline.snapshot(client.name)].flatMap(entriesOf);
  await ads.ask({ kind: 'table', entries });
  await ads.ask({ kind: 'start', socket: at('xds.sock') });
  await chown(at('xds.sock'), proxyUid, 0);
  await capture(net.path);
  stack.use(startSidecar({ net, config: at('envoy.json') }));
  const name = `${serviceName(0)}.${namespace}.svc.cluster.local:${servicePort}`;
  const steps = Array.from({ length: rounds }, (_, step) => {
    pipeline.apply([newRoute(step)]);
    const changed = pipeline.snapshot(client.name).get('route', name);
    if (changed === undefined) throw new Error(`there is no route configuration ${name}`);
    return [entryOf(changed)];
  });
  return { caller, push: (step: number) => ads.ask({ kind: 'push', entries: steps[step] }) };
}

function entriesOf(snapshot: Snapshot): object[] {
  return resourceTypes.flatMap((type) => [...snapshot.entries(type)].map(entryOf));
}

function entryOf({ type, name, bytes }: Resource): object {
  return { typeUrl: typeUrls[type], name, bytes: Buffer.from(bytes).toString('base64') };
}
