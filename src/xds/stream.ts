import type { Resource, ResourceType } from '../snapshot/resource.ts';
import { resourceTypes } from '../snapshot/resource.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

/**
 * `acked`: for an Envoy. One response in flight per type; what names a cluster waits until the cluster is
 * acknowledged, and what is removed waits until nothing names it.
 * `written`: for a node agent, which does the waiting for its Envoys. The same order, but nothing waits.
 */
export type Order = 'acked' | 'written';

/** A DeltaDiscoveryRequest, read. */
export type DeltaRequest = {
  readonly type: ResourceType;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** name → version that the client has from an earlier stream. */
  readonly initial: ReadonlyMap<string, string>;
  /** `''` when this answers no response. */
  readonly nonce: string;
  /** A NACK. `byName` is empty unless the client tells resources apart; then what it does not name was good. */
  readonly error?: { readonly message: string; readonly byName: ReadonlyMap<string, string> };
};

export type StreamEvent =
  | { readonly kind: 'request'; readonly request: DeltaRequest }
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  /** The transport has taken everything that `step` sent. */
  | { readonly kind: 'writable' }
  /** Time goes by (milliseconds, any origin). Comes about once a second while `isWaiting`. */
  | { readonly kind: 'tick'; readonly now: number };

export type Outgoing = {
  readonly type: ResourceType;
  readonly nonce: string;
  readonly resources: readonly Resource[];
  readonly removed: readonly string[];
  /** False when the rest of the same difference follows in another response. */
  readonly complete: boolean;
};

/** What became of one resource at one client. `version` of something removed is `''`. */
export type Fact = {
  readonly kind: 'sent' | 'acked' | 'nacked' | 'removed';
  readonly type: ResourceType;
  readonly name: string;
  readonly version: string;
  /** Why it was rejected, in the client's words. */
  readonly message?: string;
};

/** The version that a client has of a resource; `null` if none. `unknown` never equals a version. */
export type Has = string | null;
export const unknown = '?';

/** A response that waits for its answer. */
export type Letter = {
  readonly resources: readonly Resource[];
  readonly removed: readonly string[];
  /** Names asked for that do not exist: the client never had them. */
  readonly missing: readonly string[];
  /** Names that a later letter has said something newer of. */
  readonly replaced: ReadonlySet<string>;
};

/**
 * What a client has of one type is what the snapshot has, except for the names in `behind`. So a client that is
 * up to date costs no memory per resource, and there is never a queue.
 */
export type TypeState = {
  /** A request for this type has come. */
  asked: boolean;
  wildcard: boolean;
  readonly explicit: Set<string>;
  readonly behind: Map<string, Has>;
  /** Asked for by name, and to be answered that it does not exist. */
  readonly missing: Set<string>;
  /** name → version that the client refused; not sent again. */
  readonly rejected: Map<string, string>;
  /** Groups of which at least one is bad: each is sent alone, and halved when it is refused again. */
  suspects: readonly (readonly string[])[];
  readonly outstanding: Map<string, Letter>;
  inFlight: string | undefined;
  inFlightSince: number | undefined;
  /** A first subscription is answered even when there is nothing to say. */
  owesAnswer: boolean;
  /** Sent on an earlier stream; whether the client kept it is not known. */
  ghosts: ReadonlySet<string>;
};

export type StreamDraft = {
  readonly order: Order;
  snapshot: Snapshot | undefined;
  readonly types: Record<ResourceType, TypeState>;
  /** Endpoints of clusters the client did not have: it warms the cluster until they have come. */
  readonly awaited: Set<string>;
  awaitedSince: number | undefined;
  /** Until the client has said which listeners and routes it has, a cluster may be in use. */
  patient: boolean;
  openedAt: number | undefined;
  lastNonce: number;
  writable: boolean;
};

type DeepReadonly<T> =
  T extends Map<infer K, infer V>
    ? ReadonlyMap<K, V>
    : T extends Set<infer V>
      ? ReadonlySet<V>
      : T extends (...args: never[]) => unknown
        ? T
        : { readonly [K in keyof T]: T[K] extends object ? DeepReadonly<T[K]> : T[K] };

/** One client's stream. A value: `step` gives a new one. */
export type StreamState = DeepReadonly<StreamDraft>;

export type OpenOptions = {
  readonly order: Order;
  /** The last state of the same client's last stream, if there was one. */
  readonly previous?: StreamState | undefined;
};

export function openStream({ order, previous }: OpenOptions): StreamState {
  const types = recordOf((type) => newType(previous ? mayHave(previous, type) : new Set<string>()));
  return {
    order,
    snapshot: undefined,
    types,
    awaited: new Set(),
    awaitedSince: undefined,
    patient: true,
    openedAt: undefined,
    lastNonce: 0,
    writable: true,
  };
}

export function recordOf<T>(make: (type: ResourceType) => T): Record<ResourceType, T> {
  return {
    secret: make('secret'),
    cluster: make('cluster'),
    endpoint: make('endpoint'),
    listener: make('listener'),
    route: make('route'),
  };
}

function newType(ghosts: ReadonlySet<string>): TypeState {
  return {
    asked: false,
    wildcard: false,
    explicit: new Set(),
    behind: new Map(),
    missing: new Set(),
    rejected: new Map(),
    suspects: [],
    outstanding: new Map(),
    inFlight: undefined,
    inFlightSince: undefined,
    owesAnswer: false,
    ghosts,
  };
}

/** Names the client may have of a type it subscribed to by wildcard. A name too many does no harm. */
export function mayHave({ snapshot, types }: StreamState, type: ResourceType): ReadonlySet<string> {
  const state = types[type];
  if (!state.wildcard) return state.asked ? new Set() : state.ghosts;
  const removing = [...state.outstanding.values()].flatMap(({ removed }) => removed);
  return new Set([...(snapshot?.names(type) ?? []), ...state.behind.keys(), ...removing, ...state.ghosts]);
}

/** A copy whose parts `step` may change. Maps of a client that is up to date are empty or small. */
export function draftOf(stream: StreamState): StreamDraft {
  return {
    ...stream,
    awaited: new Set(stream.awaited),
    types: recordOf((type) => {
      const state = stream.types[type];
      return {
        ...state,
        // Copied when a subscription changes, see `subscribe`; nothing else writes to it.
        explicit: state.explicit as Set<string>,
        behind: new Map(state.behind),
        missing: new Set(state.missing),
        rejected: new Map(state.rejected),
        outstanding: new Map(state.outstanding),
      };
    }),
  };
}

export function isSubscribed(state: TypeState, name: string): boolean {
  return state.wildcard || state.explicit.has(name);
}

/** Whether ticks matter to this stream now. */
export function isWaiting(stream: StreamState): boolean {
  if (stream.order === 'written') return false;
  if (stream.awaited.size > 0) return true;
  const { listener, route } = stream.types;
  const held = stream.patient && !(listener.asked && route.asked);
  return resourceTypes.some((type) => {
    const { inFlight, behind } = stream.types[type];
    return inFlight !== undefined || (held && behind.size > 0);
  });
}
