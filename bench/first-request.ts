/**
 * B19: from the start of a sidecar's Envoy to the first request that it answers through capture, with ten services in
 * sight; by the agent's socket, and against an identical Envoy that has the same resources in its own file.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '@bufbuild/protobuf';
import { capture } from '../src/agent/capture.ts';
import { staticResources } from '../src/translate/testing/static-envoy.ts';
import type { Namespace } from '../test/support/namespace.ts';
import { createCredentials } from './support/credentials.ts';
import {
  bootstrapOf,
  farEnd,
  type Lab,
  type PodNetwork,
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
  namespaceObject,
  type Pod,
  serviceOf,
  servicePort,
  sliceWith,
} from './support/manifests.ts';
import { inTurns, median, printTable, quantile, ratio, show } from './support/measure.ts';
import { createPipeline } from './support/pipeline.ts';

const rounds = 15;
const services = 10;
const client: Pod = { name: 'client', app: 'client' };

export async function run(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const lab = stack.use(await startLab());
  await lab.write('objects/all', userObjects());
  await lab.write('cluster/all', published());
  const [warm, cold, fixed] = [
    await startPodNetwork(stack),
    await startPodNetwork(stack),
    await startPodNetwork(stack),
  ];
  await capture(fixed.net.path);
  const floorConfig = await staticConfig(lab.root);
  const ourConfig = await lab.bootstrap(client);

  const configured = async (net: Namespace): Promise<void> => {
    await lab.forget(client);
    await lab.put(client, net);
    await configuredPods(lab);
  };
  const turns = await inTurns(
    {
      warm: async () => {
        await configured(warm.net);
        return startToAnswer(warm, ourConfig);
      },
      cold: async () => {
        await lab.forget(client);
        return startToAnswer(cold, ourConfig, () => lab.put(client, cold.net));
      },
      floor: () => startToAnswer(fixed, floorConfig),
    },
    rounds,
  );
  const row = (what: string, values: readonly number[]) => ({
    start: what,
    median: show(median(values)),
    p90: show(quantile(values, 0.9)),
    ratio: show(ratio(values, turns.floor)),
  });
  printTable(`B19 start of Envoy to first 200, ${services} services (ms)`, [
    row('agent knows the pod', turns.warm),
    row('pod, certificate and Envoy at once', turns.cold),
    row('static file', turns.floor),
  ]);
}

/** The clock starts before the process, and before the agent hears of the pod where it does. */
async function startToAnswer(
  { net, caller }: PodNetwork,
  config: string,
  announce = async () => {},
): Promise<number> {
  const target = { host: clusterIp(0), port: servicePort, path: '/' };
  const answered = caller.ask<string>({ kind: 'untilOk', target, withinMs: 20_000 });
  await sleep(20);
  const began = process.hrtime.bigint();
  const announced = announce();
  await using envoy = startSidecar({ net, config });
  try {
    await announced;
    return Number(BigInt(await answered) - began) / 1e6;
  } catch (error) {
    throw new Error(`the sidecar does not answer: ${envoy.said()}`, { cause: error });
  }
}

async function configuredPods(lab: Lab): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    const [pod] = await lab.workloads();
    if (pod?.configured === true && pod.identity !== '') return;
    await sleep(10);
  }
  throw new Error('the agent has no configuration for the pod');
}

function userObjects(): readonly Manifest[] {
  return [namespaceObject, ...Array.from({ length: services }, (_, service) => serviceOf(service))];
}

function published(): readonly Manifest[] {
  const endpoints = [{ addresses: [farEnd], conditions: { ready: true } }];
  const slices = Array.from({ length: services }, (_, service) => sliceWith(service, endpoints));
  return [meshedPod(client, podEnd), ...slices];
}

/** What the agent would have sent, and its bootstrap without the agent. */
async function staticConfig(root: string): Promise<string> {
  const { key, chain, roots } = await (await createCredentials(join(root, 'static-ca')))(client.app);
  const directory = join(root, 'static');
  const at = await sidecarDirectory(directory, { 'key.pem': key, 'chain.pem': chain, 'roots.pem': roots });
  const pipeline = createPipeline();
  pipeline.apply([...userObjects(), ...published()]);
  const files = { root: at('roots.pem'), own: { key: at('key.pem'), chain: at('chain.pem') } };
  const resources = staticResources(pipeline.resources(client.name), files);
  const { dynamic_resources: _, ...rest }: JsonObject = JSON.parse(bootstrapOf(client, directory));
  await writeFile(at('envoy.json'), JSON.stringify({ ...rest, static_resources: resources }));
  return at('envoy.json');
}
