import { chmod, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import type { ServiceSpec } from '../sources/specs.ts';
import type { KubeObject } from '../sources/types.ts';
import type { EndpointSlice } from './endpoints.ts';
import { LocalError } from './errors.ts';

export type ForwardOptions = {
  /** Bytes come in on this unix socket… */
  readonly path: string;
  /** …and go to a pod of this Service. */
  readonly target: ForwardTarget;
  readonly view: () => ForwardView;
};
export type ForwardView = {
  readonly services: readonly KubeObject[];
  readonly slices: readonly EndpointSlice[];
};
/** `port` is a Service port's number or name. */
export type ForwardTarget = { readonly namespace: string; readonly service: string; readonly port: string };

/** Carries connections from the host to a Service's ready pods in turn; without one they are closed at once. */
export async function serveForward({ path, target, view }: ForwardOptions): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  let turn = 0;
  const server = createServer({ allowHalfOpen: true }, (incoming) => {
    const ready = readyAddresses(target, view());
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

/** Nothing when there is no such Service or port. */
export function readyAddresses(
  target: ForwardTarget,
  { services, slices }: ForwardView,
): readonly { readonly ip: string; readonly port: number }[] {
  const service = services.find(
    ({ metadata }) => metadata.namespace === target.namespace && metadata.name === target.service,
  );
  // The source lets only objects through that their kind's schema accepts.
  const ports = (service?.spec as ServiceSpec | undefined)?.ports ?? [];
  const wanted = ports.find(({ port, name }) => name === target.port || String(port) === target.port);
  if (wanted === undefined) return [];
  return slices
    .filter((slice) => slice.namespace === target.namespace && slice.service === target.service)
    .flatMap((slice) => {
      const port = slice.ports.find(({ name }) => name === (wanted.name ?? ''))?.port;
      if (port === undefined) return [];
      return slice.endpoints.filter(({ ready }) => ready).map(({ ip }) => ({ ip, port }));
    });
}

function cannotListen(path: string, cause: Error): LocalError {
  return new LocalError('WEFT-2505', {
    message: `The way from the host cannot listen on ${path}: ${cause.message}`,
    fix: 'Is another mesh starting in the same namespaces?',
    cause,
  });
}
