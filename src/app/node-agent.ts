import { runAgent } from '../agent/agent.ts';
import type { Logger } from '../base/log.ts';
import { innerSockets } from './run-state.ts';

export type NodeAgentOptions = {
  readonly controlPlaneSocket: string;
  readonly socket: string;
  readonly metricsAddress: string;
  readonly log: Logger;
};

/** Runs the node agent of a local mesh until the signal aborts; resolves when its sockets are closed. */
export async function runNodeAgent(options: NodeAgentOptions, signal: AbortSignal): Promise<void> {
  const agent = await runAgent(
    {
      ...options,
      workloadRoot: `${innerSockets}/w`,
      node: 'local',
      clock: Date.now,
      random: Math.random,
    },
    signal,
  );
  await agent.ended;
}
