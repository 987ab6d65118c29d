import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cluster, endpoints, httpListener, routes, tcpListener } from '../../test/support/resources.ts';
import type { Resource, ResourceType } from '../snapshot/resource.ts';
import { resourceTypes } from '../snapshot/resource.ts';
import { type Snapshot, snapshotOf } from '../snapshot/snapshot.ts';
import {
  createModel,
  encodeAll,
  type Kept,
  type Model,
  type ModelOptions,
  snapshots,
} from './model-client.test.ts';
import { step } from './step.ts';
import {
  type DeltaRequest,
  type Fact,
  isWaiting,
  openStream,
  type StreamEvent,
  type StreamState,
} from './stream.ts';

type Move =
  | { readonly kind: 'want'; readonly snapshot: Snapshot }
  | { readonly kind: 'connect'; readonly kept: Kept; readonly late: boolean }
  | {
      readonly kind: 'ask';
      readonly type: ResourceType;
      readonly names: readonly string[];
      readonly give: boolean;
    }
  | { readonly kind: 'client' | 'server' | 'writable' | 'tick' | 'settle' };

const traffic: fc.Arbitrary<Move> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Move>({ kind: 'client' }) },
  { weight: 6, arbitrary: fc.constant<Move>({ kind: 'server' }) },
  { weight: 6, arbitrary: fc.constant<Move>({ kind: 'writable' }) },
  { weight: 4, arbitrary: snapshots.map((snapshot): Move => ({ kind: 'want', snapshot })) },
  { weight: 1, arbitrary: fc.constant<Move>({ kind: 'tick' }) },
  // Most of what can go wrong takes a client that already has something.
  { weight: 2, arbitrary: fc.constant<Move>({ kind: 'settle' }) },
  {
    weight: 1,
    arbitrary: fc
      .record({
        kept: fc.constantFrom('everything' as const, 'nothing' as const, 'everything, unsaid' as const),
        late: fc.boolean(),
      })
      .map((move): Move => ({ kind: 'connect', ...move })),
  },
);

const names = fc.uniqueArray(
  fc.constantFrom('*', 'c0', 'c1', 'c2', 'r0', 'r1', 'l0', 'l1', 'default', 'never'),
  {
    minLength: 1,
    maxLength: 3,
  },
);
const asking: fc.Arbitrary<Move> = fc
  .record({ type: fc.constantFrom(...resourceTypes), names, give: fc.boolean() })
  .map((move): Move => ({ kind: 'ask', ...move }));

/** Refuses about one version in four, another one for each salt. */
function refusing(salt: number): (resource: Resource) => boolean {
  return ({ version }) =>
    salt > 0 && (Number.parseInt(version.slice(0, 8), 16) ^ (salt * 0x9e3779b1)) % 4 === 0;
}

function play(model: Model, moves: readonly Move[]): void {
  let ticks = 0;
  for (const move of moves) {
    switch (move.kind) {
      case 'want':
        model.want(move.snapshot);
        break;
      case 'connect':
        model.connect(move.kept, move.late);
        break;
      case 'ask':
        model.ask(move.type, move.give ? { unsubscribe: move.names } : { subscribe: move.names });
        break;
      case 'client':
        model.clientReads();
        break;
      case 'server':
        model.serverReads();
        break;
      case 'writable':
        model.writable();
        break;
      case 'tick':
        // Patience is never lost while messages are under way; see the test about silence for that.
        if (ticks++ < 4) model.tick(1_000);
        break;
      case 'settle':
        model.settle();
        model.check();
        break;
      default:
        move satisfies never;
    }
  }
  model.settle();
  model.check();
}

const salts = fc.nat(20);
const moves = fc.array(traffic, { maxLength: 120, size: 'max' });
/** More by hand: `WEFT_RUNS=20000 node --test src/xds/step.test.ts`. */
const runs = { numRuns: Number(process.env.WEFT_RUNS ?? 300) };

function property(options: Omit<ModelOptions, 'refuses'>, more: fc.Arbitrary<Move[]> = moves): void {
  fc.assert(
    fc.property(more, salts, (list, salt) => {
      const model = createModel({ ...options, refuses: refusing(salt) });
      if (options.asks !== 'nothing') model.connect('nothing');
      play(model, list);
    }),
    runs,
  );
}

test('an Envoy ends with its snapshot, and never lacks a cluster that it names', () => {
  property({ order: 'acked', asks: 'envoy', refusal: 'whole' });
});

test('the same when it keeps the good part of what it refuses', () => {
  property({ order: 'acked', asks: 'envoy', refusal: 'partial' });
});

test('a node agent ends with its snapshot, and refuses by name', () => {
  property({ order: 'written', asks: 'all', refusal: 'by name' });
});

test('a node agent that refuses whole responses ends with the good part', () => {
  property({ order: 'written', asks: 'all', refusal: 'whole' });
});

for (const order of ['acked', 'written'] as const) {
  test(`any order of subscriptions to names and to everything (${order})`, () => {
    const mixed = fc.array(fc.oneof({ weight: 4, arbitrary: traffic }, { weight: 1, arbitrary: asking }), {
      maxLength: 80,
      size: 'max',
    });
    property({ order, asks: 'nothing', refusal: 'partial' }, mixed);
  });
}

test('step changes nothing but what it returns', () => {
  const frozen: StreamState[] = [];
  const one = snapshotOf(encodeAll([cluster('a'), endpoints('a', [1])]));
  const events: StreamEvent[] = [
    { kind: 'snapshot', snapshot: one },
    request('cluster', {}),
    request('cluster', { nonce: '1', error: { message: 'no', byName: new Map() } }),
    request('endpoint', { subscribe: ['a', 'b'] }),
    request('endpoint', { unsubscribe: ['b'] }),
    { kind: 'snapshot', snapshot: snapshotOf([]) },
    { kind: 'tick', now: 0 },
    { kind: 'writable' },
  ];
  let stream = openStream({ order: 'acked' });
  for (const event of events) {
    const before = structuredClone(visible(stream));
    frozen.push(stream);
    const next = step(stream, event).stream;
    assert.deepEqual(visible(stream), before);
    stream = next;
  }
});

function visible(stream: StreamState): unknown {
  return { ...stream, snapshot: stream.snapshot?.layers.length };
}

function request(type: ResourceType, parts: Partial<DeltaRequest>): StreamEvent {
  const all: DeltaRequest = { type, subscribe: [], unsubscribe: [], initial: new Map(), nonce: '', ...parts };
  return { kind: 'request', request: all };
}

/** Feeds events to a stream and keeps what it says. */
function conversation(order: 'acked' | 'written') {
  let stream = openStream({ order });
  const facts: Fact[] = [];
  return {
    facts,
    get stream() {
      return stream;
    },
    say(event: StreamEvent) {
      const first = step(stream, event);
      const second = step(first.stream, { kind: 'writable' });
      facts.push(...first.facts, ...second.facts);
      stream = second.stream;
      return [...first.send, ...second.send].map(
        ({ type, nonce, resources, removed }) =>
          `${nonce} ${type}: ${[...resources.map(({ name }) => name), ...removed.map((name) => `-${name}`)].join(' ')}`,
      );
    },
  };
}

test('what does not exist is answered at once, and sent when it comes to exist', () => {
  const { say } = conversation('acked');
  say({ kind: 'snapshot', snapshot: snapshotOf([]) });
  assert.deepEqual(say(request('endpoint', { subscribe: ['a'] })), ['1 endpoint: -a']);
  assert.deepEqual(say(request('endpoint', { nonce: '1' })), []);
  const snapshot = snapshotOf(encodeAll([endpoints('a', [1])]));
  assert.deepEqual(say({ kind: 'snapshot', snapshot }), ['2 endpoint: a']);
});

test('before the first snapshot nothing is answered, not even that something does not exist', () => {
  const { say } = conversation('acked');
  assert.deepEqual(say(request('endpoint', { subscribe: ['a', 'b'] })), []);
  assert.deepEqual(say(request('cluster', {})), []);
  const snapshot = snapshotOf(encodeAll([endpoints('a', [1])]));
  assert.deepEqual(say({ kind: 'snapshot', snapshot }), ['1 cluster: ', '2 endpoint: a -b']);
});

test('what a client says it has counts when it asks for more before the first snapshot', () => {
  const { say, facts } = conversation('acked');
  const [a, b, c] = encodeAll([endpoints('a', [1]), endpoints('b', [1]), endpoints('c', [1])]);
  assert(a && b && c);
  const initial = new Map([a, b].map(({ name, version }) => [name, version]));
  say(request('endpoint', { subscribe: ['a', 'b'], initial }));
  say(request('endpoint', { subscribe: ['c'] }));
  // It has lost this one since.
  say(request('endpoint', { unsubscribe: ['b'] }));
  say(request('endpoint', { subscribe: ['b'] }));
  assert.deepEqual(say({ kind: 'snapshot', snapshot: snapshotOf([a, b, c]) }), ['1 endpoint: b c']);
  assert.deepEqual(
    facts.filter(({ kind }) => kind === 'acked').map(({ name }) => name),
    ['a'],
  );
});

test('a cluster that changes brings its endpoints along', () => {
  const { say } = conversation('acked');
  const all = (altStatName: string) =>
    snapshotOf(
      encodeAll([cluster('a', { altStatName }), cluster('b'), endpoints('a', [1]), endpoints('b', [2])]),
    );
  say({ kind: 'snapshot', snapshot: all('one') });
  assert.deepEqual(say(request('cluster', {})), ['1 cluster: a b']);
  assert.deepEqual(say(request('endpoint', { subscribe: ['a', 'b'] })), ['2 endpoint: a b']);
  say(request('cluster', { nonce: '1' }));
  say(request('endpoint', { nonce: '2' }));
  assert.deepEqual(say({ kind: 'snapshot', snapshot: all('two') }), ['3 cluster: a', '4 endpoint: a']);
});

test('a route waits for its new cluster and that for its endpoints; removals come last', () => {
  const { say } = conversation('acked');
  const to = (name: string) =>
    snapshotOf(encodeAll([cluster(name), endpoints(name, [1]), routes('r', [name]), httpListener('l', 'r')]));
  say({ kind: 'snapshot', snapshot: to('a') });
  assert.deepEqual(say(request('cluster', {})), ['1 cluster: a']);
  assert.deepEqual(say(request('listener', {})), []);
  assert.deepEqual(say(request('endpoint', { subscribe: ['a'] })), ['2 endpoint: a']);
  assert.deepEqual(say(request('endpoint', { nonce: '2' })), []);
  assert.deepEqual(say(request('cluster', { nonce: '1' })), ['3 listener: l']);
  assert.deepEqual(say(request('listener', { nonce: '3' })), []);
  assert.deepEqual(say(request('route', { subscribe: ['r'] })), ['4 route: r']);
  say(request('route', { nonce: '4' }));

  assert.deepEqual(say({ kind: 'snapshot', snapshot: to('b') }), ['5 cluster: b']);
  assert.deepEqual(say(request('cluster', { nonce: '5' })), []);
  assert.deepEqual(say(request('endpoint', { subscribe: ['b'] })), ['6 endpoint: b']);
  assert.deepEqual(say(request('endpoint', { nonce: '6' })), ['7 route: r']);
  assert.deepEqual(say(request('route', { nonce: '7' })), ['8 endpoint: -a', '9 cluster: -a']);
});

test('a cluster that goes and comes back on its way still warms before anything names it', () => {
  const { say } = conversation('acked');
  const warm = encodeAll([cluster('a'), endpoints('a', [1])]);
  say({ kind: 'snapshot', snapshot: snapshotOf(warm) });
  assert.deepEqual(say(request('cluster', {})), ['1 cluster: a']);
  say({ kind: 'snapshot', snapshot: snapshotOf([]) });
  say({ kind: 'snapshot', snapshot: snapshotOf([...warm, ...encodeAll([tcpListener('l', 'a')])]) });
  assert.deepEqual(say(request('listener', {})), []);
  assert.deepEqual(say(request('cluster', { nonce: '1' })), []);
  assert.deepEqual(say(request('endpoint', { subscribe: ['a'] })), ['2 endpoint: a']);
  assert.deepEqual(say(request('endpoint', { nonce: '2' })), ['3 listener: l']);
});

test('what takes the place of something comes before that goes', () => {
  const { say } = conversation('acked');
  const on = (name: string, to: string) =>
    snapshotOf(encodeAll([cluster(to), endpoints(to, [1]), tcpListener(name, to)]));
  say({ kind: 'snapshot', snapshot: on('old', 'a') });
  say(request('cluster', {}));
  say(request('endpoint', { subscribe: ['a'] }));
  say(request('cluster', { nonce: '1' }));
  assert.deepEqual(say(request('endpoint', { nonce: '2' })), []);
  assert.deepEqual(say(request('listener', {})), ['3 listener: old']);
  say(request('listener', { nonce: '3' }));
  say(request('route', { subscribe: [] }));
  say(request('route', { nonce: '4' }));

  assert.deepEqual(say({ kind: 'snapshot', snapshot: on('new', 'b') }), ['5 cluster: b']);
  say(request('cluster', { nonce: '5' }));
  say(request('endpoint', { subscribe: ['b'] }));
  assert.deepEqual(say(request('endpoint', { nonce: '6' })), ['7 listener: new']);
  assert.deepEqual(say(request('listener', { nonce: '7' })), ['8 listener: -old']);
  assert.deepEqual(say(request('listener', { nonce: '8' })), ['9 endpoint: -a', '10 cluster: -a']);
});

test('a cluster stays while a refused route may mean that an old one is in use', () => {
  const { say } = conversation('acked');
  const to = (name: string, prefix = '') =>
    snapshotOf(encodeAll([cluster(name), endpoints(name, [1]), routes('r', [name], prefix)]));
  say({ kind: 'snapshot', snapshot: to('a') });
  say(request('cluster', {}));
  say(request('cluster', { nonce: '1' }));
  say(request('endpoint', { subscribe: ['a'] }));
  say(request('endpoint', { nonce: '2' }));
  say(request('listener', {}));
  say(request('listener', { nonce: '3' }));
  assert.deepEqual(say(request('route', { subscribe: ['r'] })), ['4 route: r']);
  say(request('route', { nonce: '4' }));

  assert.deepEqual(say({ kind: 'snapshot', snapshot: to('b') }), ['5 cluster: b']);
  say(request('cluster', { nonce: '5' }));
  say(request('endpoint', { subscribe: ['b'] }));
  assert.deepEqual(say(request('endpoint', { nonce: '6' })), ['7 route: r']);
  const error = { message: 'no', byName: new Map<string, string>() };
  assert.deepEqual(say(request('route', { nonce: '7', error })), []);
  assert.deepEqual(say({ kind: 'snapshot', snapshot: to('b', 'mended') }), ['8 route: r']);
  assert.deepEqual(say(request('route', { nonce: '8' })), ['9 endpoint: -a', '10 cluster: -a']);
});

test('a client that comes back keeps its clusters until it has told its listeners and routes', () => {
  const { say } = conversation('acked');
  const one = encodeAll([cluster('a'), endpoints('a', [1])]);
  const initial = (resources: readonly Resource[]) =>
    new Map(resources.map(({ name, version }) => [name, version]));
  say({ kind: 'snapshot', snapshot: snapshotOf([]) });
  assert.deepEqual(say(request('cluster', { initial: initial(one.slice(0, 1)) })), ['1 cluster: ']);
  assert.deepEqual(say(request('cluster', { nonce: '1' })), []);
  assert.deepEqual(say(request('listener', {})), ['2 listener: ']);
  assert.deepEqual(say(request('listener', { nonce: '2' })), []);
  assert.deepEqual(say(request('route', {})), ['3 route: ']);
  assert.deepEqual(say(request('route', { nonce: '3' })), ['4 cluster: -a']);
});

test('a route waits for endpoints that a client may lack, though it has the cluster', () => {
  const { say } = conversation('acked');
  const of = (port: number, to: string) =>
    encodeAll([cluster('a'), cluster('b'), endpoints('a', [port]), endpoints('b', [1]), routes('r', [to])]);
  const initial = new Map(of(1, 'a').map(({ name, version }) => [name, version]));
  const version = (name: string, type: ResourceType) => snapshotOf(of(1, 'a')).get(type, name)?.version ?? '';
  say({ kind: 'snapshot', snapshot: snapshotOf(of(1, 'a')) });
  const clusters = new Map(['a', 'b'].map((name) => [name, version(name, 'cluster')]));
  assert.deepEqual(say(request('cluster', { initial: clusters })), ['1 cluster: ']);
  say(request('cluster', { nonce: '1' }));
  const known = new Map([['a', version('a', 'endpoint')]]);
  assert.deepEqual(say(request('endpoint', { subscribe: ['a'], initial: known })), []);
  assert.deepEqual(say(request('route', { subscribe: ['r'], initial })), []);

  assert.deepEqual(say({ kind: 'snapshot', snapshot: snapshotOf(of(2, 'a')) }), ['2 endpoint: a']);
  assert.deepEqual(say(request('endpoint', { subscribe: ['b'] })), []);
  assert.deepEqual(say({ kind: 'snapshot', snapshot: snapshotOf(of(2, 'b')) }), []);
  assert.deepEqual(say(request('endpoint', { nonce: '2' })), ['3 endpoint: b']);
  assert.deepEqual(say(request('endpoint', { nonce: '3' })), ['4 route: r']);
});

test('what was sent on an earlier stream and is gone is taken away, said or not', () => {
  const good = snapshotOf(encodeAll([tcpListener('good', 'a'), tcpListener('bad', 'a')]));
  let previous = openStream({ order: 'acked' });
  for (const event of [{ kind: 'snapshot' as const, snapshot: good }, request('listener', {})]) {
    previous = step(previous, event).stream;
  }
  const comeBack = () => {
    let stream = openStream({ order: 'acked', previous });
    stream = step(stream, { kind: 'snapshot', snapshot: snapshotOf([]) }).stream;
    const { stream: last, send } = step(stream, request('listener', {}));
    const next = step(step(last, { kind: 'writable' }).stream, request('listener', { nonce: '1' }));
    previous = next.stream;
    return [...send, ...next.send].flatMap(({ removed }) => removed);
  };
  assert.deepEqual(comeBack(), ['good', 'bad']);
  // That stream ended before it was answered too.
  assert.deepEqual(comeBack(), ['good', 'bad']);
});

test('who asks again is sent it again; who has unsubscribed is not', () => {
  const { say } = conversation('acked');
  const of = (port: number) => snapshotOf(encodeAll([endpoints('a', [port])]));
  say({ kind: 'snapshot', snapshot: of(1) });
  assert.deepEqual(say(request('endpoint', { subscribe: ['a'] })), ['1 endpoint: a']);
  say(request('endpoint', { nonce: '1' }));
  assert.deepEqual(say(request('endpoint', { subscribe: ['a'] })), ['2 endpoint: a']);
  say(request('endpoint', { nonce: '2' }));
  assert.deepEqual(say(request('endpoint', { unsubscribe: ['a'] })), []);
  assert.deepEqual(say({ kind: 'snapshot', snapshot: of(2) }), []);
  assert.deepEqual(say(request('endpoint', { subscribe: ['a'] })), ['3 endpoint: a']);
});

test('endpoints that go with their cluster are told as removed, though they are given up before they are sent', () => {
  const { say, facts } = conversation('acked');
  const of = (port: number) => snapshotOf(encodeAll([cluster('a'), endpoints('a', [port])]));
  say({ kind: 'snapshot', snapshot: of(1) });
  assert.deepEqual(say(request('cluster', {})), ['1 cluster: a']);
  assert.deepEqual(say(request('endpoint', { subscribe: ['a'] })), ['2 endpoint: a']);
  say(request('cluster', { nonce: '1' }));
  say(request('endpoint', { nonce: '2' }));
  assert.deepEqual(say(request('listener', {})), ['3 listener: ']);
  say(request('listener', { nonce: '3' }));
  assert.deepEqual(say(request('route', {})), ['4 route: ']);
  say(request('route', { nonce: '4' }));
  assert.deepEqual(say({ kind: 'snapshot', snapshot: of(2) }), ['5 endpoint: a']);
  assert.deepEqual(say({ kind: 'snapshot', snapshot: snapshotOf([]) }), ['6 cluster: -a']);
  say(request('endpoint', { unsubscribe: ['a'] }));
  assert.equal(facts.findLast(({ type, name }) => type === 'endpoint' && name === 'a')?.kind, 'removed');
});

test('who gives up a name but not everything is told whether everything covers it', () => {
  const { say } = conversation('acked');
  say({ kind: 'snapshot', snapshot: snapshotOf(encodeAll([cluster('a')])) });
  assert.deepEqual(say(request('cluster', { subscribe: ['*', 'a', 'never'] })), ['1 cluster: a -never']);
  say(request('cluster', { nonce: '1' }));
  assert.deepEqual(say(request('cluster', { unsubscribe: ['a', 'never'] })), ['2 cluster: a -never']);
  say(request('cluster', { nonce: '2' }));
  assert.deepEqual(say(request('cluster', { unsubscribe: ['*'] })), []);
  assert.deepEqual(say({ kind: 'snapshot', snapshot: snapshotOf(encodeAll([cluster('b')])) }), []);
});

test('a name that goes away before it could be sent is answered', () => {
  const { say } = conversation('acked');
  const of = (...all: string[]) => snapshotOf(encodeAll(all.map((name) => endpoints(name, [1]))));
  say({ kind: 'snapshot', snapshot: of('a', 'b') });
  assert.deepEqual(say(request('endpoint', { subscribe: ['a'] })), ['1 endpoint: a']);
  assert.deepEqual(say(request('endpoint', { subscribe: ['b'] })), []);
  assert.deepEqual(say({ kind: 'snapshot', snapshot: of('a') }), []);
  assert.deepEqual(say(request('endpoint', { nonce: '1' })), ['2 endpoint: -b']);
});

test('a node agent is written to in order, and waited for by nobody', () => {
  const { say } = conversation('written');
  const all = (name: string) =>
    snapshotOf(
      encodeAll([cluster(name), endpoints(name, [1]), httpListener(`l-${name}`, name), routes(name, [name])]),
    );
  for (const type of ['route', 'listener', 'endpoint', 'cluster'] as const)
    say(request(type, { subscribe: ['*'] }));
  const sent = ['cluster: a', 'endpoint: a', 'listener: l-a', 'route: a'];
  assert.deepEqual(
    say({ kind: 'snapshot', snapshot: all('a') }),
    sent.map((text, index) => `${index + 1} ${text}`),
  );
  const next = ['cluster: b', 'endpoint: b', 'listener: l-b', 'route: b'];
  const gone = ['route: -a', 'listener: -l-a', 'endpoint: -a', 'cluster: -a'];
  assert.deepEqual(
    say({ kind: 'snapshot', snapshot: all('b') }),
    [...next, ...gone].map((text, index) => `${index + 5} ${text}`),
  );
});

test('one bad listener among good ones is found by halves, and not sent again until it changes', () => {
  const { say } = conversation('acked');
  const all = (bad: string) =>
    snapshotOf(
      encodeAll(['l1', 'l2', 'l3', 'l4'].map((name) => tcpListener(name, name === 'l3' ? bad : 'ok'))),
    );
  const no = { error: { message: 'no', byName: new Map<string, string>() } };
  say({ kind: 'snapshot', snapshot: all('bad') });
  assert.deepEqual(say(request('listener', {})), ['1 listener: l1 l2 l3 l4']);
  assert.deepEqual(say(request('listener', { nonce: '1', ...no })), ['2 listener: l1 l2']);
  assert.deepEqual(say(request('listener', { nonce: '2' })), ['3 listener: l3 l4']);
  assert.deepEqual(say(request('listener', { nonce: '3', ...no })), ['4 listener: l3']);
  assert.deepEqual(say(request('listener', { nonce: '4', ...no })), ['5 listener: l4']);
  assert.deepEqual(say(request('listener', { nonce: '5' })), []);
  assert.deepEqual(say({ kind: 'snapshot', snapshot: all('bad') }), []);
  assert.deepEqual(say({ kind: 'snapshot', snapshot: all('better') }), ['6 listener: l3']);
});

test('an answer to a response that is not outstanding is ignored', () => {
  const { say } = conversation('acked');
  say({ kind: 'snapshot', snapshot: snapshotOf(encodeAll([cluster('a')])) });
  say(request('cluster', {}));
  assert.deepEqual(say(request('cluster', { nonce: '99' })), []);
  say({ kind: 'snapshot', snapshot: snapshotOf(encodeAll([cluster('a'), cluster('b')])) });
  assert.deepEqual(say(request('cluster', { nonce: '98' })), []);
  assert.deepEqual(say(request('cluster', { nonce: '1' })), ['2 cluster: b']);
});

test('a client that stays silent delays what follows by five seconds, not for ever', () => {
  const { say, ...rest } = conversation('acked');
  const all = [cluster('a'), endpoints('a', [1]), tcpListener('l', 'a')];
  say({ kind: 'snapshot', snapshot: snapshotOf(encodeAll(all)) });
  assert.deepEqual(say(request('cluster', {})), ['1 cluster: a']);
  assert.deepEqual(say(request('listener', {})), []);
  for (let now = 0; now < 5_000; now += 1_000) assert.deepEqual(say({ kind: 'tick', now }), []);
  assert.deepEqual(say({ kind: 'tick', now: 5_000 }), ['2 listener: l']);
  assert.equal(rest.stream === undefined, false);
});

test('ticks are asked for only while something is unanswered', () => {
  const talk = conversation('acked');
  talk.say({ kind: 'snapshot', snapshot: snapshotOf(encodeAll([cluster('a', { altStatName: 'x' })])) });
  assert.equal(isWaiting(talk.stream), false);
  talk.say(request('cluster', {}));
  assert.equal(isWaiting(talk.stream), true);
  talk.say(request('cluster', { nonce: '1' }));
  assert.equal(isWaiting(talk.stream), false);
});

test('a blocked transport gets the newest state when it is free, and nothing in between', () => {
  const of = (port: number) => snapshotOf(encodeAll([endpoints('a', [port])]));
  let stream = openStream({ order: 'written' });
  const say = (event: StreamEvent) => {
    const next = step(stream, event);
    stream = next.stream;
    return next.send;
  };
  say({ kind: 'snapshot', snapshot: of(1) });
  assert.equal(say(request('endpoint', { subscribe: ['*'] })).length, 1);
  for (let port = 2; port < 50; port++) assert.equal(say({ kind: 'snapshot', snapshot: of(port) }).length, 0);
  const [sent] = say({ kind: 'writable' });
  assert.equal(sent?.resources[0], of(49).get('endpoint', 'a'));
});

test('a node agent gets large sets in pieces, of which only the last is complete', () => {
  const big = Array.from({ length: 60 }, (_, index) =>
    cluster(`c${index}`, { altStatName: 'x'.repeat(200_000) }),
  );
  let stream = openStream({ order: 'written' });
  stream = step(stream, { kind: 'snapshot', snapshot: snapshotOf(encodeAll(big)) }).stream;
  const { send } = step(stream, request('cluster', { subscribe: ['*'] }));
  assert.equal(send.flatMap(({ resources }) => resources).length, 60);
  assert.deepEqual(
    send.map(({ complete }) => complete),
    [false, false, true],
  );
});

test('a late ACK of an older response says nothing of what a newer one replaced', () => {
  const want = (first: string, second: string): StreamEvent => ({
    kind: 'snapshot',
    snapshot: snapshotOf(
      encodeAll([cluster('a', { altStatName: first }), cluster('b', { altStatName: second })]),
    ),
  });
  let stream = openStream({ order: 'written' });
  const letters: string[] = [];
  const facts = (event: StreamEvent): string[] => {
    const result = step(stream, event);
    stream = step(result.stream, { kind: 'writable' }).stream;
    letters.push(...result.send.map(({ nonce }) => nonce));
    return result.facts.map(({ kind, name }) => `${kind} ${name}`);
  };
  facts(want('old', 'old'));
  facts(request('cluster', { subscribe: ['*'] }));
  facts(want('new', 'old'));
  const [older = '', newer = ''] = letters;
  assert.deepEqual(facts(request('cluster', { nonce: newer })), ['acked a']);
  assert.deepEqual(facts(request('cluster', { nonce: older })), ['acked b']);
});
