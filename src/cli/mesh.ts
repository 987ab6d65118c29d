/** Asks a running mesh. Answers come from the same version of the program; their kind is checked, their fields not. */
import type {
  MeshStatus,
  ObjectList,
  ObjectQuery,
  ProblemList,
  ProxyList,
  Validation,
} from '../admin/types.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import { asList, asRecord } from './record.ts';
import { askJson } from './request.ts';

export type AdminSocket = {
  readonly socketPath: string;
  readonly signal: AbortSignal;
  readonly timeout?: number;
};

export async function readStatus(socket: AdminSocket): Promise<MeshStatus> {
  // The kind was checked, and with it which of the types it is.
  return (await ask(socket, '/v1/status', 'MeshStatus')) as MeshStatus;
}

export async function readObjects(socket: AdminSocket, query: ObjectQuery): Promise<ObjectList> {
  const search = new URLSearchParams(query).toString();
  // The kind was checked, and with it which of the types it is.
  return (await ask(socket, `/v1/objects${search && `?${search}`}`, 'ObjectList')) as ObjectList;
}

export async function readProxies(socket: AdminSocket): Promise<ProxyList> {
  // The kind was checked, and with it which of the types it is.
  return (await ask(socket, '/v1/proxies', 'ProxyList')) as ProxyList;
}

export async function readProblems(socket: AdminSocket): Promise<ProblemList> {
  // The kind was checked, and with it which of the types it is.
  return (await ask(socket, '/v1/problems', 'ProblemList')) as ProblemList;
}

/** What the mesh would say of objects, as YAML; `undefined` when it is older than the question. */
export async function askValidation(socket: AdminSocket, text: string): Promise<Validation | undefined> {
  try {
    // The kind was checked, and with it which of the types it is.
    return (await ask({ ...socket, body: text }, '/v1/validate', 'Validation')) as Validation;
  } catch (error) {
    if (error instanceof CommandFailure && error.text.exitCode === exitCodes.notFound) return undefined;
    throw error;
  }
}

type Asked = AdminSocket & { readonly body?: string };

async function ask(socket: Asked, path: string, kind: string): Promise<unknown> {
  const answer = await askJson({ ...socket, path, who: 'control plane' });
  if (typeof answer === 'object' && answer !== null && 'kind' in answer && answer.kind === kind)
    return answer;
  throw new CommandFailure({
    exitCode: exitCodes.failure,
    message: `the control plane answered ${path} with another kind than ${kind}`,
    why: 'it is probably of another version than this program',
    next: 'weft version',
  });
}

/** Traffic from one workload to another over a window; names are `<namespace>/<workload>`. */
export type Edge = {
  readonly source: string;
  readonly target: string;
  /** Requests; `null`, like what follows from it, when there was only TCP. */
  readonly rps: number | null;
  /** 0 to 1. */
  readonly successRate: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** `null` when nobody could tell: the target has no sidecar. */
  readonly mtls: boolean | null;
  /** Share of requests that were answered with 401 or 403, 0 to 1. */
  readonly denied: number | null;
  /** TCP connections opened; `null` when the agent does not say. */
  readonly connections: number | null;
};

/** Whether the caller is none of the mesh's workloads. */
export function isOutside({ source }: Edge): boolean {
  return source === 'unknown';
}

/** `window` in milliseconds. */
export async function readEdges(socket: AdminSocket, window: number): Promise<readonly Edge[]> {
  const path = `/edges?window=${Math.max(1, Math.round(window / 1000))}s`;
  const answer = await askJson({ ...socket, path, who: 'node agent' });
  return asList(answer).map(parseEdge);
}

function parseEdge(item: unknown): Edge {
  const edge = asRecord(item);
  const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);
  return {
    source: String(edge.source),
    target: String(edge.target),
    rps: number(edge.rps),
    successRate: number(edge.successRate),
    p50Ms: number(edge.p50Ms),
    p99Ms: number(edge.p99Ms),
    mtls: typeof edge.mtls === 'boolean' ? edge.mtls : null,
    denied: number(edge.denied),
    connections: number(edge.connections),
  };
}
