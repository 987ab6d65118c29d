import type { IncomingMessage } from 'node:http';
import { isAbsolute, join, normalize } from 'node:path';
import { AgentError } from './errors.ts';

/** A pod that shall be meshed, as the platform tells of it. */
export type WorkloadRequest = {
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly serviceAccount: string;
  /** A pod-bound token for the CA; renewed by the next request. */
  readonly token: string;
  /** A path that `nsenter --net=` takes. */
  readonly netns: string;
  /** Made by the agent when missing; the only place of the mesh that the pod's Envoy sees. */
  readonly directory: string;
};

export type PodName = { readonly namespace: string; readonly name: string };

const maxBody = 65_536;
const maxToken = 16_384;
const dnsLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const dnsSubdomain = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const uid = /^[A-Za-z0-9-]{1,64}$/;

export function parsePodName(namespace: string, name: string): PodName {
  if (!dnsLabel.test(namespace) || !dnsSubdomain.test(name)) throw invalid('the path names no pod');
  return { namespace, name };
}

/** Where a workload's sockets are: no request can choose another place. */
export function workloadDirectory(root: string, { namespace, name }: PodName): string {
  return join(root, `${namespace}_${name}`);
}

/** Throws WEFT-2201 for anything but exactly such a request about exactly this pod. */
export function parseWorkload(body: unknown, path: PodName, root: string): WorkloadRequest {
  const fields = record(body, ['pod', 'serviceAccount', 'token', 'netns', 'directory']);
  const pod = record(fields.pod, ['namespace', 'name', 'uid']);
  const request = {
    pod: {
      namespace: text(pod.namespace, 'pod.namespace', dnsLabel),
      name: text(pod.name, 'pod.name', dnsSubdomain),
      uid: text(pod.uid, 'pod.uid', uid),
    },
    serviceAccount: text(fields.serviceAccount, 'serviceAccount', dnsSubdomain),
    token: text(fields.token, 'token', /^[\w.-]+$/),
    netns: text(fields.netns, 'netns', /^\/[\w./:-]+$/),
    directory: text(fields.directory, 'directory', /^\/[\w./:-]+$/),
  };
  const { namespace, name } = request.pod;
  if (namespace !== path.namespace || name !== path.name)
    throw invalid('the path and the body name different pods');
  if (request.token.length > maxToken) throw invalid('the token is too long');
  if (!isAbsolute(request.netns) || normalize(request.netns) !== request.netns)
    throw invalid('netns is no plain path');
  const directory = workloadDirectory(root, path);
  if (request.directory !== directory) throw invalid(`the directory must be ${directory}`);
  return request;
}

/** Reads a bounded JSON body. */
export async function readJson(message: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxBody) throw invalid(`the body is larger than ${maxBody} bytes`);
    chunks.push(bytes);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (error) {
    throw invalid('the body is no JSON', error);
  }
}

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Seconds of `30s`, `5m` or `1h`. */
export function parseWindow(value: string | null): number {
  const [, number = '', unit = ''] = /^(\d{1,6}(?:\.\d+)?)([smh])$/.exec(value ?? '60s') ?? [];
  const seconds = Number(number) * (units[unit] ?? 0);
  if (seconds > 0) return seconds;
  throw invalid('the window must be a time such as 30s or 5m');
}

function record(value: unknown, keys: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('an object is missing');
  const unknown = Object.keys(value).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw invalid('there is an unknown field');
  // An object with no other keys than these.
  return value as Readonly<Record<string, unknown>>;
}

function text(value: unknown, field: string, form: RegExp): string {
  if (typeof value === 'string' && form.test(value)) return value;
  throw invalid(`${field} is missing or malformed`);
}

/** Says which field, never what stood in it: it could be a token. */
function invalid(why: string, cause?: unknown): AgentError {
  return new AgentError('WEFT-2201', {
    message: `The request is not valid: ${why}.`,
    fix: 'PUT /workloads/<namespace>/<pod> takes {pod: {namespace, name, uid}, serviceAccount, token, netns, directory}.',
    cause,
  });
}
