import type { Message } from '@bufbuild/protobuf';
import type { ObjectRef } from '../model/object-ref.ts';

/** The five kinds of xDS resource a sidecar asks for, in make-before-break order. */
export const resourceTypes = ['secret', 'cluster', 'endpoint', 'listener', 'route'] as const;
export type ResourceType = (typeof resourceTypes)[number];

export const typeUrls: Readonly<Record<ResourceType, string>> = {
  secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  endpoint: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  route: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
};

/** An Envoy message that `translate` made, not yet encoded. The same reference always means the same bytes. */
export type EnvoyResource = {
  readonly type: ResourceType;
  readonly name: string;
  readonly message: Message;
  /** The objects it came from, sorted by `refKey`. */
  readonly origin: readonly ObjectRef[];
};

/** A list that proxies with equal inputs share by reference. A proxy's whole configuration is a few of these. */
export type ResourceList = readonly EnvoyResource[];

/** One encoded resource. `version` is a hash of `bytes`, so equal content is equal everywhere and for ever. */
export type Resource = {
  readonly type: ResourceType;
  readonly name: string;
  readonly version: string;
  /** The encoded message, what an `Any` holds. */
  readonly bytes: Uint8Array;
  /** Field 2 of DeltaDiscoveryResponse, encoded once: tag, length, and the `Resource` message (name, version, Any). */
  readonly frame: Uint8Array;
  readonly origin: readonly ObjectRef[];
};
