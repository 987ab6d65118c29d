import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Io, UpOptions } from '../cli/cli.ts';
import { packageRoot } from './paths.ts';
import { toolPath } from './tool-path.ts';
import { runUp, type UpRequest } from './up.ts';
import { weftVersion } from './version.ts';

/** `weft up`: of a directory of the user's, or of the demo in one. */
export async function start(options: UpOptions, io: Io): Promise<number> {
  // For this process and all that it starts; the check of what is missing looks there, too.
  process.env.PATH = toolPath(process.env.PATH);
  const { demo, directory = resolve(io.cwd, demo ? 'campus-pay' : '.'), ...rest } = options;
  if (demo) await fillWithDemo(directory);
  const request: UpRequest = {
    ...rest,
    directory,
    title: demo ? 'Campus Pay (demo)' : directory,
    version: weftVersion,
    launcher: [process.execPath, ...process.execArgv, process.argv[1] ?? ''],
    extraPath: demo ? [join(packageRoot, 'demo/bin')] : [],
    ...(demo ? { shop: { namespace: 'campus', service: 'web', port: '80' } } : {}),
    next: demo ? demoNext(directory, io.cwd) : ['weft status', 'weft edges', 'weft check'],
  };
  return await runUp(request, io);
}

/** What the user has changed since the last time stays: only a directory without YAML is filled. */
async function fillWithDemo(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const files = await readdir(directory);
  if (files.some((name) => /\.(ya?ml|json)$/.test(name))) return;
  const from = join(packageRoot, 'demo/mesh');
  for (const name of await readdir(from)) await copyFile(join(from, name), join(directory, name));
}

function demoNext(directory: string, cwd: string): readonly string[] {
  const where = directory.startsWith(`${cwd}/`) ? directory.slice(cwd.length + 1) : directory;
  return [
    'weft edges                         who calls whom, how well, and over mTLS',
    'weft demo story canary --break     give one payment in ten to a faulty version, and watch',
    `edit ${where}/traffic.yaml      traffic follows at once`,
  ];
}
