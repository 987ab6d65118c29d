/** The node agent of a lab. */
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { runAgent } from '../../src/agent/agent.ts';
import { createLogger } from '../../src/base/log.ts';
import { answer } from '../support/child.ts';

const log = createLogger(
  (line) => !line.includes('"level":"info"') && process.stderr.write(line),
  Date.now,
  'lab',
);

answer({
  async start({ root }: { root: string }) {
    await runAgent(
      {
        controlPlaneSocket: join(root, 'control-plane.sock'),
        socket: join(root, 'agent.sock'),
        workloadRoot: join(root, 'w'),
        node: 'lab',
        metricsAddress: '127.0.0.1:15090',
        clock: Date.now,
        random: Math.random,
        log,
      },
      new AbortController().signal,
    );
    // A sidecar's user has to get to its own directory.
    await chmod(join(root, 'w'), 0o711);
  },
});
