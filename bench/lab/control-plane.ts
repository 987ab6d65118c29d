/** The control plane of a lab: the real one, on a directory of files. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger } from '../../src/base/log.ts';
import { runControlPlane } from '../../src/control-plane/control-plane.ts';
import { defaultSettings } from '../../src/model/mesh.ts';
import { directorySource } from '../../src/sources/sources.ts';
import type { Source } from '../../src/sources/types.ts';
import { answer } from '../support/child.ts';
import { until } from '../support/measure.ts';

const log = createLogger(
  (line) => !line.includes('"level":"info"') && process.stderr.write(line),
  Date.now,
  'lab',
);

answer({
  async start({ root, accessLog }: { root: string; accessLog: boolean }) {
    const source = (name: string): Source =>
      directorySource({ directory: join(root, name), serviceCidr: '10.96.0.0/16', log });
    const socket = join(root, 'control-plane.sock');
    runControlPlane(
      {
        sources: [source('objects'), source('cluster')],
        directory: join(root, 'objects'),
        version: 'bench',
        settings: { ...defaultSettings, accessLog },
        socket,
        adminSocket: join(root, 'admin.sock'),
        authorityDirectory: join(root, 'ca'),
        tokenKeysFile: join(root, 'keys.json'),
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
});
