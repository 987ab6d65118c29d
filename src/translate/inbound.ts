import type { InboundView } from '../model/access.ts';
import type { MeshSettings } from '../model/mesh.ts';
import type { Workload } from '../model/service.ts';
import type { ResourceList } from '../snapshot/resource.ts';
import { isIpv6 } from './envoy/address.ts';
import { inboundClusterResource } from './inbound-cluster.ts';
import { virtualInbound } from './inbound-listener.ts';
import { keptBy, keptByText } from './memo.ts';
import { makePart, type Part } from './part.ts';
import type { Self } from './stats-tags.ts';

/** The server side of a sidecar: one listener that replicas share, and the small list that has the pod's address. */
export type Inbound = {
  readonly clusters: (view: InboundView, workload: Workload) => Part;
  readonly listener: (view: InboundView, self: Self, workload: Workload) => Part;
};

export function createInbound(settings: MeshSettings): Inbound {
  const clustersAt = keptByText((view: InboundView, address: string) =>
    makePart((guard) =>
      [...view.ports]
        .sort((a, b) => a.port - b.port)
        .flatMap((port) => {
          const make = (): ResourceList => [inboundClusterResource(port, address)];
          const [origin] = port.origins;
          return origin === undefined ? make() : guard.run(origin, make, () => []);
        }),
    ),
  );
  const listenerFor = keptBy<InboundView, Map<string, Part>>(() => new Map());
  return {
    clusters: (view, workload) => clustersAt(view, ownAddress(workload)),
    listener: (view, self, workload) => {
      const made = listenerFor(view);
      const labels = JSON.stringify(self);
      const part = made.get(labels) ?? listenerPart(view, { settings, self, workload });
      made.set(labels, part);
      return part;
    },
  };
}

function listenerPart(
  view: InboundView,
  { settings, self, workload }: { settings: MeshSettings; self: Self; workload: Workload },
): Part {
  return makePart((guard) =>
    guard.run(
      { ref: workload.origin, field: '' },
      () => [virtualInbound(view, { settings, self, guard })],
      // Capture still sends everything there, and nobody answers: closed.
      () => [],
    ),
  );
}

/** The proxy captures IPv4, so that address is the one the app is reached at; a pod without any gets loopback alone. */
function ownAddress({ addresses }: Workload): string {
  return addresses.find((address) => !isIpv6(address)) ?? addresses[0] ?? '127.0.0.1';
}
