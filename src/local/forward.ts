import { chmod, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import type { EndpointSlice } from './endpoints.ts';
import { LocalError } from './errors.ts';

export type ForwardOptions = {
  /** Bytes come in on this unix socket… */
  readonly path: string;
  /** …and go to a pod of this Service. */
  readonly target: ForwardTarget;
  readonly slices: () => readonly EndpointSlice[];
};
export type ForwardTarget = { readonly namespace: string; readonly service: string; readonly port: string };

/** Carries connections from the host to a Service's ready pods in turn; without one they are closed at once. */
export async function serveForward({ path, target, slices }: ForwardOptions): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  let turn = 0;
  const server = createServer({ allowHalfOpen: true }, (incoming) => {
    const ready = readyAddresses(target, slices());
    const address = ready[turn++ % Math.max(1, ready.length)];
    if (address === undefined) {
      incoming.destroy();
      return;
    }
    const outgoing = connect({ host: address.ip, port: address.port, allowHalfOpen: true });
    for (const [from, to] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      open.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        open.delete(from);
        to.destroySoon();
      });
    }
  });
  await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.on('error', (cause) => reject(cannotListen(path, cause)));
    server.listen(path, resolve);
  });
  await chmod(path, 0o600);
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** A Service without the wanted port name has one port, and that is meant. */
export function readyAddresses(
  { namespace, service, port }: ForwardTarget,
  slices: readonly EndpointSlice[],
): readonly { readonly ip: string; readonly port: number }[] {
  return slices
    .filter((slice) => slice.namespace === namespace && slice.service === service)
    .flatMap((slice) => {
      const chosen = slice.ports.find(({ name }) => name === port) ?? slice.ports[0];
      if (chosen === undefined) return [];
      return slice.endpoints.filter(({ ready }) => ready).map(({ ip }) => ({ ip, port: chosen.port }));
    });
}

function cannotListen(path: string, cause: Error): LocalError {
  return new LocalError('WEFT-2505', {
    message: `The way from the host cannot listen on ${path}: ${cause.message}`,
    fix: 'Is another mesh starting in the same namespaces?',
    cause,
  });
}
