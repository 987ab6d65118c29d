/**
 * Discovery: how snapshots get to clients and answers come back.
 *
 * Snapshots come in, facts about them (sent, acknowledged, refused, removed) go out; `serveAds` faces Envoys and
 * node agents, `connectAds` faces a control plane. What a resource means, and why a client gets it, is not known
 * here. The protocol itself is `step`, a pure function; around it is gRPC over HTTP/2, and nothing else.
 */
import { createInterner } from '../snapshot/snapshot.ts';
import { type ConnectionOptions, createConnection } from './connection.ts';
import { RpcError, rpcCodes } from './grpc.ts';
import { createRelay, type Relay, type RelayOptions } from './relay.ts';
import { type CallOptions, callOnSession } from './unary.ts';

export { callRefused, rpcCodes } from './grpc.ts';
export type { Relay } from './relay.ts';
export { type AdsServer, serveAds } from './serve.ts';
export { createSettlements } from './settlements.ts';
export type { Fact } from './stream.ts';
export type { NodeId } from './wire.ts';

export type AdsConnection = {
  /** One stream for one workload on the shared connection. Ends with its own signal, or the connection's. */
  readonly relay: (options: Pick<RelayOptions, 'node' | 'signal'>) => Relay;
  /** Calls a JSON method. Waits for the connection within the time limit; rejects with `RpcError`. */
  readonly callUnary: (method: string, body: unknown, options?: CallOptions) => Promise<unknown>;
};

/** A node agent's one connection to a control plane; it is made when needed, and again when it is lost. */
export function connectAds(options: ConnectionOptions): AdsConnection {
  const connection = createConnection(options);
  // Workloads of one node have most resources in common.
  const interner = createInterner();
  const { log, random = Math.random } = options;
  return {
    relay: ({ node, signal }) =>
      createRelay({
        connection,
        interner,
        node,
        signal: AbortSignal.any([signal, options.signal]),
        log,
        random,
      }),
    async callUnary(method, body, { timeoutMs = 10_000, signal } = {}) {
      const started = performance.now();
      const given = AbortSignal.any([options.signal, ...(signal ? [signal] : [])]);
      const deadline = AbortSignal.timeout(timeoutMs);
      const session = await connection.session(AbortSignal.any([given, deadline])).catch((error: unknown) => {
        if (!deadline.aborted) throw error;
        throw new RpcError(rpcCodes.unavailable, `${method}: no connection within ${timeoutMs} ms`, {
          cause: error,
        });
      });
      const left = Math.max(1, timeoutMs - (performance.now() - started));
      return callOnSession(session, { method, body }, { timeoutMs: left, signal: given });
    },
  };
}
