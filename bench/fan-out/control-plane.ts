/** The whole control plane in a process of its own, on objects that come from memory instead of files. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createLatest } from '../../src/base/latest.ts';
import { createLogger } from '../../src/base/log.ts';
import { runControlPlane } from '../../src/control-plane/control-plane.ts';
import { defaultSettings } from '../../src/model/mesh.ts';
import type { Source, SourceEvent } from '../../src/sources/types.ts';
import { answer } from '../support/child.ts';
import { type Manifest, objectsOf } from '../support/manifests.ts';
import { until } from '../support/measure.ts';
import { cpuNow, memoryNow } from '../support/usage.ts';

const batches = createLatest<readonly SourceEvent[]>();
const source: Source = { events: batches.follow, locate: () => undefined };
const log = createLogger(
  (line) => !line.includes('"level":"info"') && process.stderr.write(line),
  Date.now,
  'bench',
);

function apply(manifests: readonly Manifest[]): void {
  const applied = objectsOf(manifests).map((object): SourceEvent => ({ kind: 'applied', object }));
  batches.set([...applied, { kind: 'synced' }]);
}

answer({
  async start({ manifests, socket }: { manifests: readonly Manifest[]; socket: string }) {
    apply(manifests);
    const directory = dirname(socket);
    runControlPlane(
      {
        sources: [
          {
            events: async function* () {
              yield [{ kind: 'synced' }];
            },
            locate: () => undefined,
          },
          source,
        ],
        directory,
        version: 'bench',
        settings: defaultSettings,
        socket,
        adminSocket: join(directory, 'admin.sock'),
        authorityDirectory: join(directory, 'ca'),
        tokenKeysFile: join(directory, 'keys.json'),
        certificateTtl: 86_400_000,
        clock: Date.now,
        log,
      },
      new AbortController().signal,
    ).catch((error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    });
    await until('the control plane listens', () => existsSync(socket), 20_000);
  },
  /** Gives the CPU used until now, before the change. */
  change({ manifest }: { manifest: Manifest }) {
    const before = cpuNow();
    apply([manifest]);
    return before;
  },
  cpu: cpuNow,
  memory: memoryNow,
});
