import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { UpFailure } from './up-failure.ts';
import { envoyVersions } from './version.ts';

export type EnvoyBinary = { readonly path: string; readonly version: string };

export type EnvoySearch = {
  /** From the command line; then nothing else is looked at. */
  readonly given?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
};

/** `--envoy`, `ENVOY_PATH`, `envoy` on PATH, the cache. What was named must be right; what was only found may be passed over. */
export async function findEnvoy({ given, env }: EnvoySearch): Promise<EnvoyBinary> {
  const named = given ?? (env.ENVOY_PATH || undefined);
  if (named !== undefined) {
    const version = await versionOf(named);
    if (version !== undefined && isSupported(version)) return { path: named, version };
    throw new UpFailure(
      version === undefined ? `${named} is no Envoy that runs here` : `${named} is Envoy ${version}`,
      { exitCode: 64, fixes: [`name an Envoy ${envoyVersions.pinned} by --envoy or ENVOY_PATH`] },
    );
  }
  for (const path of candidates(env)) {
    const version = (await isExecutable(path)) ? await versionOf(path) : undefined;
    if (version !== undefined && isSupported(version)) return { path, version };
  }
  throw new UpFailure(`no Envoy ${envoyVersions.oldest.join('.')} or newer on PATH or in the cache`, {
    fixes: [
      'start `./weft` of a checkout, which fetches it once and checks it',
      `or name an Envoy ${envoyVersions.pinned} by --envoy or ENVOY_PATH`,
    ],
  });
}

function candidates(env: EnvoySearch['env']): string[] {
  const onPath = (env.PATH ?? '').split(':').filter((directory) => directory.startsWith('/'));
  const cache = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  return [
    ...onPath.map((directory) => join(directory, 'envoy')),
    join(cache, 'weft', `envoy-${envoyVersions.pinned}`, 'envoy'),
  ];
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Envoy says `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`. */
async function versionOf(path: string): Promise<string | undefined> {
  const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: 10_000 }).catch(() => ({
    stdout: '',
  }));
  return /version: [0-9a-f]+\/(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
}

function isSupported(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = envoyVersions.oldest;
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}
