import { join } from 'node:path';
import { bootstrap } from '../agent/agent.ts';
import { createLogger, type Logger } from '../base/log.ts';
import type { Io } from '../cli/cli.ts';
import { runControlPlane } from '../control-plane/control-plane.ts';
import { runProblems } from '../local/local.ts';
import { defaultSettings } from '../model/mesh.ts';
import { workloadKey } from '../model/names.ts';
import { directorySource } from '../sources/sources.ts';
import type { Source } from '../sources/types.ts';
import { type InnerParts, type PartName, type PartOptions, parentEnd, runInner } from './inner.ts';
import { runNodeAgent } from './node-agent.ts';
import { toolPath } from './tool-path.ts';

/** Out of the ranges that Kubernetes installers choose, so that the same addresses are seen in both worlds. */
const serviceCidr = '10.96.0.0/16';

/** `weft internal PART JSON`: the processes that `weft up` starts. Not for people. */
export async function internal([part = '', json = '{}']: readonly string[], { signal }: Io): Promise<number> {
  process.env.PATH = toolPath(process.env.PATH);
  if (part === 'inner') return await runInner(JSON.parse(json), parts, signal).finally(letGo);
  if (part !== 'control-plane' && part !== 'node-agent') return 64;
  const end = AbortSignal.any([signal, parentEnd()]);
  await parts.run[part](JSON.parse(json), end).finally(letGo);
  return end.aborted ? 0 : 1;
}

const parts: InnerParts = {
  run: { 'control-plane': controlPlane, 'node-agent': nodeAgent },
  source,
  bootstrap: ({ namespace, name, workload }) =>
    bootstrap({ workload: workloadKey(namespace, name), cluster: workload }),
};

function source(directory: string, log: Logger): Source {
  return directorySource({ directory, serviceCidr, log });
}

async function controlPlane(options: PartOptions, signal: AbortSignal): Promise<void> {
  const { directory, stateDirectory, clusterDirectory, sockets, tokenKeysFile } = options;
  const log = logger('control-plane');
  await runControlPlane(
    {
      sources: [source(directory, log.child('sources')), source(clusterDirectory, log.child('sources'))],
      version: options.version,
      directory,
      check: (view) => runProblems({ deployments: view.list('Deployment'), pods: view.list('Pod') }),
      settings: { ...defaultSettings, outboundPolicy: options.outboundPolicy },
      socket: sockets.controlPlane,
      adminSocket: sockets.controlPlaneAdmin,
      authorityDirectory: join(stateDirectory, 'ca'),
      tokenKeysFile,
      certificateTtl: options.certificateTtlSeconds * 1000,
      clock: Date.now,
      log,
    },
    signal,
  );
}

async function nodeAgent(options: PartOptions, signal: AbortSignal): Promise<void> {
  const { sockets, metricsAddress } = options;
  await runNodeAgent(
    {
      controlPlaneSocket: sockets.controlPlane,
      socket: sockets.agent,
      metricsAddress,
      log: logger('node-agent'),
    },
    signal,
  );
}

function logger(name: PartName): Logger {
  return createLogger((line) => process.stderr.write(line), Date.now, name);
}

/** Standard input is our parent's word; who still listens to it does not end. */
function letGo(): void {
  process.stdin.destroy();
}
