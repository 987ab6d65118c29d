/** Asks a running mesh. Answers come from the same version of the program; their kind is checked, their fields not. */
import type { MeshStatus, ObjectList, ObjectQuery, ProblemList, ProxyList } from '../admin/types.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import { asRecord } from './record.ts';
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

async function ask(socket: AdminSocket, path: string, kind: string): Promise<unknown> {
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

/** Traffic from one workload name to another over a window. */
export type Edge = {
  readonly source: string;
  readonly target: string;
  readonly rps: number;
  /** 0 to 1. */
  readonly successRate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mtls: boolean;
};

export async function readEdges(socket: AdminSocket, window: string): Promise<readonly Edge[]> {
  const path = `/edges?window=${encodeURIComponent(window)}`;
  const answer = await askJson({ ...socket, path, who: 'node agent' });
  // Whatever it is, each entry is looked at below.
  const items: readonly unknown[] = Array.isArray(answer) ? answer : [];
  return items.map(parseEdge);
}

function parseEdge(item: unknown): Edge {
  const edge = asRecord(item);
  return {
    source: String(edge.source),
    target: String(edge.target),
    rps: Number(edge.rps ?? 0),
    successRate: Number(edge.successRate ?? 0),
    p50Ms: Number(edge.p50Ms ?? 0),
    p99Ms: Number(edge.p99Ms ?? 0),
    mtls: edge.mtls === true,
  };
}
