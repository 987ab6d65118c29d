/**
 * A mesh to measure on: control plane and node agent as processes of their own, files to write, and sidecars that are
 * real Envoys in network namespaces that nobody else sees.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootstrap } from '../../src/agent/agent.ts';
import { createTokenIssuer } from '../../src/identity/identity.ts';
import { proxyUid, workloadKey } from '../../src/model/names.ts';
import { findEnvoy } from '../../test/support/envoy.ts';
import { connectNamespaces, type Namespace, startNamespace } from '../../test/support/namespace.ts';
import { type Child, startChild } from './child.ts';
import { type Manifest, namespace, type Pod, servicePort, textOf } from './manifests.ts';

export type Lab = AsyncDisposable & {
  readonly root: string;
  /** Writes one of the user's files, or of those the platform publishes, at one moment. */
  readonly write: (
    file: `objects/${string}` | `cluster/${string}`,
    manifests: readonly Manifest[],
  ) => Promise<void>;
  readonly remove: (file: string) => Promise<void>;
  /** Tells the agent of a pod; again after `forget`. */
  readonly put: (pod: Pod, net: Namespace) => Promise<void>;
  readonly forget: (pod: Pod) => Promise<void>;
  /** What the agent says of its pods. */
  readonly workloads: () => Promise<readonly { readonly configured: boolean; readonly identity: string }[]>;
  readonly directoryOf: (pod: Pod) => string;
  /** Writes the bootstrap of the pod's sidecar, and gives its file. */
  readonly bootstrap: (pod: Pod) => Promise<string>;
};

export async function startLab(options: { readonly accessLog?: boolean } = {}): Promise<Lab> {
  const root = await mkdtemp(join(tmpdir(), 'weft-bench-'));
  await chmod(root, 0o711);
  for (const name of ['objects', 'cluster', 'w']) await mkdir(join(root, name));
  const issuer = await createTokenIssuer();
  await writeFile(join(root, 'keys.json'), JSON.stringify(issuer.keys));
  const controlPlane = await startChild('lab/control-plane.ts');
  const agent = await startChild('lab/node-agent.ts');
  await controlPlane.ask({ kind: 'start', root, accessLog: options.accessLog ?? true });
  await agent.ask({ kind: 'start', root });

  const directoryOf = ({ name }: Pod): string => join(root, 'w', `${namespace}_${name}`);
  const ask = (method: string, path: string, body?: object): Promise<string> =>
    askSocket(join(root, 'agent.sock'), { method, path, body });
  const identity = ({ name, app }: Pod) => ({
    namespace,
    serviceAccount: app,
    pod: { name, uid: `uid-${name}` },
    node: 'lab',
    workload: app,
    app,
    version: 'v1',
  });
  return {
    root,
    async write(file, manifests) {
      const next = join(root, 'next');
      await writeFile(next, textOf(manifests));
      await rename(next, join(root, `${file}.yaml`));
    },
    remove: (file) => rm(join(root, `${file}.yaml`)),
    async put(pod, net) {
      await ask('PUT', `/workloads/${namespace}/${pod.name}`, {
        pod: { namespace, name: pod.name, uid: `uid-${pod.name}` },
        serviceAccount: pod.app,
        token: await issuer.issue(identity(pod), { now: Date.now(), ttl: 3_600_000 }),
        netns: net.path,
        directory: directoryOf(pod),
      });
    },
    forget: async (pod) => {
      await ask('DELETE', `/workloads/${namespace}/${pod.name}`);
    },
    workloads: async () => JSON.parse(await ask('GET', '/workloads')),
    directoryOf,
    async bootstrap(pod) {
      const file = join(root, `${pod.name}.json`);
      await writeFile(file, bootstrapOf(pod, directoryOf(pod)));
      return file;
    },
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await controlPlane[Symbol.asyncDispose]();
      await rm(root, { recursive: true, force: true });
    },
  };
}

export type Envoy = AsyncDisposable & { readonly pid: number; readonly said: () => string };

export type EnvoyStart = {
  readonly net: Namespace;
  /** The file with its configuration. */
  readonly config: string;
  /** The only core it runs on. */
  readonly core?: number;
  /** The sidecar's user unless said otherwise. */
  readonly uid?: number;
};

/** An Envoy as a pod has it, with one worker. It runs from here on, ready or not. */
export function startSidecar({ net, config, core, uid = proxyUid }: EnvoyStart): Envoy {
  const pinned = core === undefined ? [] : ['taskset', '-c', String(core)];
  const user = ['setpriv', '--pdeathsig', 'KILL', '--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
  const args = ['--config-path', config, '--disable-hot-restart', '--concurrency', '1', '-l', 'error'];
  const command = [`--net=${net.path}`, ...pinned, ...user, findEnvoy(), ...args];
  const child = spawn('nsenter', command, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said: string[] = [];
  child.stdout.resume();
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  return {
    // Spawned a line above.
    pid: child.pid as number,
    said: () => said.join(''),
    [Symbol.asyncDispose]: () => end(child),
  };
}

/** The bootstrap that the agent makes for a pod whose directory is on this machine. */
export function bootstrapOf(pod: Pod, directory: string): string {
  return bootstrap({ workload: workloadKey(namespace, pod.name), cluster: pod.app, directory });
}

/** A new directory that belongs to the sidecar's user, as do the files in it. */
export async function sidecarDirectory(
  path: string,
  files: Readonly<Record<string, string>>,
): Promise<(name: string) => string> {
  await mkdir(path, { mode: 0o711 });
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(path, name), text);
    await chown(join(path, name), proxyUid, 0);
  }
  await chown(path, proxyUid, 0);
  return (name) => join(path, name);
}

/** A pod's network with someone in it who asks, and at the far end of its wire an app without a sidecar. */
export type PodNetwork = { readonly net: Namespace; readonly caller: Child };

/** The two ends of the wire. */
export const farEnd = '10.250.0.1';
export const podEnd = '10.250.0.2';

export async function startPodNetwork(stack: AsyncDisposableStack): Promise<PodNetwork> {
  const net = stack.use(await startNamespace());
  const far = stack.use(await startNamespace());
  connectNamespaces(far, net);
  const inside = (of: Namespace): { through: string[] } => ({ through: ['nsenter', `--net=${of.path}`] });
  const app = stack.use(await startChild('lab/app.ts', inside(far)));
  await app.ask({ kind: 'listen', host: farEnd, port: servicePort });
  return { net, caller: stack.use(await startChild('lab/caller.ts', inside(net))) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

type Asked = { readonly method: string; readonly path: string; readonly body: object | undefined };

function askSocket(socketPath: string, { method, path, body }: Asked): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, agent: false, timeout: 10_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        // What is to be forgotten may never have been known.
        response.statusCode === 200 || method === 'DELETE'
          ? resolve(text)
          : reject(new Error(`${method} ${path}: ${text}`)),
      );
    });
    asked.on('timeout', () => asked.destroy(new Error(`${method} ${path}: no answer`)));
    asked.on('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
