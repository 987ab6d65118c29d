/** A client of delta xDS as a model for properties, the network between it and `step`, and snapshots to feed them. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  cluster,
  endpoints,
  envoyResource,
  httpListener,
  routes,
  secret,
  tcpListener,
} from '../../test/support/resources.ts';
import { type Resource, type ResourceType, resourceTypes } from '../snapshot/resource.ts';
import { createEncoder, references, type Snapshot, snapshotOf } from '../snapshot/snapshot.ts';
import { step } from './step.ts';
import {
  type DeltaRequest,
  type Fact,
  type Order,
  type Outgoing,
  openStream,
  recordOf,
  type StreamEvent,
  type StreamState,
} from './stream.ts';

const encoder = createEncoder();

export function encodeAll(messages: readonly Parameters<typeof envoyResource>[0][]): Resource[] {
  const snapshot = encoder.encode([messages.map(envoyResource)]);
  return resourceTypes.flatMap((type) => [...snapshot.entries(type)]);
}

const service = fc.record({
  cluster: fc.option(fc.nat(2), { nil: undefined }),
  ports: fc.nat(2),
  listener: fc.constantFrom('none', 'http', 'tcp'),
  to: fc.uniqueArray(fc.nat(3), { minLength: 1, maxLength: 3 }),
  variant: fc.nat(1),
});

/** Consistent snapshots of up to four services, whose routes name clusters that are there. */
export const snapshots: fc.Arbitrary<Snapshot> = fc
  .tuple(service, service, service, service)
  .map((services) => {
    const exists = (index: number): boolean => services[index]?.cluster !== undefined;
    return printable(
      snapshotOf([
        ...encodeAll(
          services.flatMap((one, index) => {
            const to = one.to.filter(exists).map((target) => `c${target}`);
            const [first] = to;
            return [
              ...(one.cluster === undefined
                ? []
                : [cluster(`c${index}`, { altStatName: `v${one.cluster}` })]),
              ...(one.cluster === undefined ? [] : [endpoints(`c${index}`, [1 + one.ports])]),
              ...(first === undefined || one.listener !== 'http'
                ? []
                : [httpListener(`l${index}`, `r${index}`, `@${one.variant}`), routes(`r${index}`, to)]),
              ...(first === undefined || one.listener !== 'tcp' ? [] : [tcpListener(`l${index}`, first)]),
            ];
          }),
        ),
        secret('default', 'x'),
      ]),
    );
  });

function printable(snapshot: Snapshot): Snapshot {
  const text = (): string =>
    resourceTypes
      .flatMap((type) =>
        [...snapshot.entries(type)].map(({ name, version }) => `${name}@${version.slice(0, 4)}`),
      )
      .join(' ');
  return Object.assign(snapshot, { [fc.toStringMethod]: text });
}

type Held = { readonly resource: Resource; readonly counted: boolean };

export type ModelOptions = {
  readonly order: Order;
  /** Refuses these versions. */
  readonly refuses: (resource: Resource) => boolean;
  /** What a refused response leaves behind: its good resources, or none. */
  readonly refusal: 'partial' | 'whole' | 'by name';
  /** `envoy` asks for endpoints and routes by the names that its clusters and listeners give; `all` by `*`. */
  readonly asks: 'envoy' | 'all' | 'nothing';
};

export type Kept = 'everything' | 'nothing' | 'everything, unsaid';

export type Model = {
  readonly stream: StreamState;
  readonly ask: (type: ResourceType, parts: Partial<DeltaRequest>) => void;
  /** `kept`: what the client still has of the last stream's resources. `late`: it asks before there is a snapshot. */
  readonly connect: (kept: Kept, late?: boolean) => void;
  readonly want: (next: Snapshot) => void;
  readonly clientReads: () => boolean;
  readonly serverReads: () => boolean;
  readonly writable: () => void;
  readonly tick: (ms: number) => void;
  /** Lets everything that is under way arrive. */
  readonly settle: () => void;
  /** The client has what the snapshot has, as far as it asked and did not refuse; and the facts say so. */
  readonly check: () => void;
};

export function createModel(options: ModelOptions): Model {
  const held = recordOf(() => new Map<string, Held>());
  let ledger = recordOf(() => new Map<string, Fact>());
  let explicit = recordOf(() => new Set<string>());
  let wildcard = recordOf(() => false);
  let asked = recordOf(() => false);
  let unanswered = recordOf(() => new Set<string>());
  let toClient: { readonly sent: Outgoing; readonly wanted: Snapshot | undefined }[] = [];
  let toServer: DeltaRequest[] = [];
  let unread = recordOf(() => 0);
  let stream: StreamState = openStream({ order: options.order });
  let snapshot: Snapshot | undefined;
  let late = false;
  let now = 0;

  function happen(event: StreamEvent): void {
    const result = step(stream, event);
    stream = result.stream;
    for (const fact of result.facts) {
      if (fact.kind === 'removed') ledger[fact.type].delete(fact.name);
      else ledger[fact.type].set(fact.name, fact);
    }
    for (const sent of result.send) {
      unread[sent.type] += 1;
      if (options.order === 'acked') assert(unread[sent.type] <= 1, `two ${sent.type} responses in flight`);
      toClient.push({ sent, wanted: stream.snapshot });
    }
  }

  function ask(type: ResourceType, parts: Partial<DeltaRequest>): void {
    toServer.push({ type, subscribe: [], unsubscribe: [], initial: new Map(), nonce: '', ...parts });
    // A first request that subscribes to nothing subscribes to everything.
    if (!asked[type] && (parts.subscribe ?? []).length === 0) wildcard[type] = true;
    asked[type] = true;
    for (const name of parts.subscribe ?? []) {
      if (name === '*') wildcard[type] = true;
      else {
        explicit[type].add(name);
        // Who says what it has is answered only if that is out of date.
        if (!parts.initial?.has(name)) unanswered[type].add(name);
      }
    }
    for (const name of parts.unsubscribe ?? []) {
      if (name === '*') wildcard[type] = false;
      explicit[type].delete(name);
      unanswered[type].delete(name);
      if (wildcard[type]) continue;
      const gone = name === '*' ? [...held[type].keys()].filter((one) => !explicit[type].has(one)) : [name];
      for (const one of gone) held[type].delete(one);
    }
  }

  /** Asks for and drops endpoints and routes, as Envoy does. */
  function follow(): void {
    if (options.asks !== 'envoy') return;
    for (const [of, type] of [
      ['cluster', 'endpoint'],
      ['listener', 'route'],
    ] as const) {
      const needed = new Set([...held[of].values()].flatMap(({ resource }) => references(resource)[type]));
      const more = [...needed].filter((name) => !explicit[type].has(name));
      const less = [...explicit[type]].filter((name) => !needed.has(name));
      if (more.length + less.length > 0) ask(type, { subscribe: more, unsubscribe: less });
    }
  }

  function accept(response: Outgoing, wanted: Snapshot | undefined): void {
    const { type, nonce, removed } = response;
    // What it has unsubscribed from since is of no interest to it.
    const resources = response.resources.filter(({ name }) => wildcard[type] || explicit[type].has(name));
    for (const name of removed) drop(type, name);
    for (const { name } of resources) unanswered[type].delete(name);
    const bad = resources.filter(options.refuses);
    const good = resources.filter((one) => !bad.includes(one));
    if (bad.length === 0 || options.refusal !== 'whole') {
      for (const resource of good) apply(resource, bad.length === 0 || options.refusal === 'by name', wanted);
    }
    const byName = new Map(options.refusal === 'by name' ? bad.map(({ name }) => [name, `bad ${name}`]) : []);
    toServer.push({
      type,
      subscribe: [],
      unsubscribe: [],
      initial: new Map(),
      nonce,
      ...(bad.length > 0 ? { error: { message: `bad ${bad.map(({ name }) => name)}`, byName } } : {}),
    });
    follow();
  }

  function apply(resource: Resource, counted: boolean, wanted: Snapshot | undefined): void {
    if (options.order === 'acked' && options.asks === 'envoy' && resource.type !== 'endpoint') {
      for (const name of references(resource).cluster) assertWarm(name, resource, wanted);
    }
    held[resource.type].set(resource.name, { resource, counted });
  }

  /** The promise: a cluster is there, with endpoints, before anything names it. Unless this client refused it. */
  function assertWarm(name: string, by: Resource, wanted: Snapshot | undefined): void {
    for (const type of ['cluster', 'endpoint'] as const) {
      const needed = wanted?.get(type, name);
      if (needed === undefined || options.refuses(needed)) return;
      assert(held[type].has(name), `${by.type} ${by.name} names ${name} before its ${type} is there`);
    }
  }

  function drop(type: ResourceType, name: string): void {
    unanswered[type].delete(name);
    if (!held[type].delete(name)) return;
    if (options.order !== 'acked' || options.asks !== 'envoy' || type !== 'cluster') return;
    for (const { resource } of [...held.route.values(), ...held.listener.values()]) {
      assert(
        !references(resource).cluster.includes(name),
        `${name} is removed while ${resource.name} names it`,
      );
    }
  }

  function connect(kept: Kept, isLate = false): void {
    // All that a stream tells must be true by itself: who listens may have been started with it.
    ledger = recordOf(() => new Map());
    toClient = [];
    toServer = [];
    unread = recordOf(() => 0);
    const before = explicit;
    explicit = recordOf(() => new Set<string>());
    const hadAll = wildcard;
    wildcard = recordOf(() => false);
    asked = recordOf(() => false);
    unanswered = recordOf(() => new Set<string>());
    if (kept === 'nothing') for (const type of resourceTypes) held[type].clear();
    stream = openStream({ order: options.order, previous: stream });
    late = isLate;
    if (snapshot !== undefined && !late) happen({ kind: 'snapshot', snapshot });
    const initial = (type: ResourceType): Map<string, string> =>
      new Map(
        [...held[type]]
          .filter(([, { counted }]) => counted && kept === 'everything')
          .map(([name, { resource }]) => [name, resource.version]),
      );
    if (options.asks === 'nothing') {
      for (const type of resourceTypes) {
        const names = [...(hadAll[type] ? ['*'] : []), ...before[type]];
        if (names.length > 0) ask(type, { subscribe: names, initial: initial(type) });
        else held[type].clear();
      }
      return;
    }
    for (const type of ['cluster', 'endpoint', 'listener', 'route'] as const) {
      const all = options.asks === 'all' || type === 'cluster' || type === 'listener';
      // Envoy names nothing to mean everything; an agent says `*`.
      if (all) ask(type, { subscribe: options.asks === 'all' ? ['*'] : [], initial: initial(type) });
      else if (before[type].size > 0 && kept !== 'nothing') {
        ask(type, { subscribe: [...before[type]], initial: initial(type) });
      }
    }
  }

  const model: Model = {
    get stream(): StreamState {
      return stream;
    },
    ask,
    connect,
    want(next: Snapshot): void {
      snapshot = next;
      late = false;
      happen({ kind: 'snapshot', snapshot: next });
    },
    clientReads(): boolean {
      const next = toClient.shift();
      if (next !== undefined) accept(next.sent, next.wanted);
      return next !== undefined;
    },
    serverReads(): boolean {
      const next = toServer.shift();
      if (next === undefined) return false;
      if (next.nonce !== '') unread[next.type] -= 1;
      happen({ kind: 'request', request: next });
      return true;
    },
    writable: () => happen({ kind: 'writable' }),
    tick(ms: number): void {
      now += ms;
      happen({ kind: 'tick', now });
    },
    settle(): void {
      while (late && model.serverReads());
      if (late && snapshot !== undefined) model.want(snapshot);
      for (let round = 0; round < 12; round++) {
        for (let moves = 0; moves < 5_000; moves++) {
          const sent = toClient.length;
          model.writable();
          const moved = [model.serverReads(), model.clientReads(), toClient.length > sent];
          if (!moved.includes(true)) break;
          assert(moves < 4_999, 'the two never come to rest');
        }
        model.tick(1_000);
      }
    },
    check(): void {
      if (snapshot === undefined) return;
      for (const type of resourceTypes) checkType(type, snapshot);
    },
  };

  function checkType(type: ResourceType, wanted: Snapshot): void {
    const asked = wildcard[type] ? [...wanted.names(type), ...held[type].keys()] : [];
    const refused = [...wanted.entries('listener'), ...wanted.entries('route')].some(options.refuses);
    // Nobody knows what a client that refused a route still uses, so what is gone stays, and is not said to be gone.
    const kept = options.order === 'acked' && refused && (type === 'cluster' || type === 'endpoint');
    const open = [...unanswered[type]].filter((name) => !kept || wanted.get(type, name) !== undefined);
    assert.deepEqual(open, [], `${type}: asked for and never answered`);
    for (const name of new Set([...asked, ...explicit[type]])) {
      const resource = wanted.get(type, name);
      const has = held[type].get(name)?.resource;
      const where = `${type} ${name}`;
      if (resource === undefined) {
        assert(kept || has === undefined, `${where} is still there`);
      } else if (options.refuses(resource)) {
        assert.notEqual(has?.version, resource.version, where);
        assert.equal(ledger[type].get(name)?.kind, 'nacked', where);
      } else {
        assert.equal(has?.version, resource.version, where);
        const { kind, version } = ledger[type].get(name) ?? {};
        assert.deepEqual({ kind, version }, { kind: 'acked', version: resource.version }, where);
      }
    }
  }

  return model;
}
