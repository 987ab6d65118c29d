/**
 * B5 and B6: what a change costs for each connected proxy, and what a connected proxy keeps. The whole control plane in
 * one process, a thousand simulated proxies in another, and beside them a server that only writes the same bytes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, startChild } from './support/child.ts';
import { type Manifest, meshOf, namespace, podName, routeOf, sliceOf } from './support/manifests.ts';
import { inTurns, median, printTable, type Row, show } from './support/measure.ts';
import type { Memory } from './support/usage.ts';

const services = 100;
const pods = 10;
const rounds = 8;
/** Long enough for a change, its answers, and the conditions that are worked out a moment later. */
const windowMs = 800;
const sizes = [100, 1000] as const;

export async function run(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'weft-bench-'));
  const stack = new AsyncDisposableStack();
  try {
    stack.defer(() => rmSync(directory, { recursive: true, force: true }));
    const start = async (script: string, ...flags: string[]): Promise<Child> =>
      stack.use(await startChild(`fan-out/${script}`, { flags }));
    const ours = {
      child: await start('control-plane.ts', '--expose-gc'),
      socket: join(directory, 'ours.sock'),
    };
    const floor = { child: await start('floor.ts', '--expose-gc'), socket: join(directory, 'floor.sock') };
    const clients = await start('clients.ts');
    await ours.child.ask({ kind: 'start', socket: ours.socket, manifests: meshOf({ services, pods }) });
    await floor.child.ask({ kind: 'start', socket: floor.socket });
    await fanOut({ ours, floor, clients });
  } finally {
    await stack.disposeAsync();
  }
}

type Server = { readonly child: Child; readonly socket: string };
type Parts = { readonly ours: Server; readonly floor: Server; readonly clients: Child };

async function fanOut(parts: Parts): Promise<void> {
  const changes: Row[] = [];
  const memories: { readonly ours: Memory; readonly floor: Memory }[] = [];
  const forms = createForms();
  let connected = 0;
  for (const size of sizes) {
    const nodes = Array.from({ length: size - connected }, (_, index) => nodeOf(connected + index));
    const { bytes, ms } = await connect(parts, nodes);
    process.stdout.write(
      `  ${size} proxies: the last ${nodes.length} came in ${show(ms / 1000)} s, ${show(bytes / nodes.length / 1000)} kB each\n`,
    );
    connected = size;
    await sleep(windowMs);
    memories.push({
      ours: await parts.ours.child.ask({ kind: 'memory' }),
      floor: await parts.floor.child.ask({ kind: 'memory' }),
    });
    changes.push(...(await changesAt(parts, size, forms)));
  }
  printTable('B5 CPU of the server per proxy and change (µs), and time to the last response (ms)', changes);
  printTable(
    `B6 memory per connected proxy (kB), slope from ${sizes[0]} to ${sizes[1]}`,
    memoryRows(memories),
  );
}

async function connect({ ours, floor, clients }: Parts, nodes: readonly string[]) {
  const ask = <T>({ socket }: Server, answered: boolean): Promise<T> =>
    clients.ask<T>({ kind: 'connect', socket, nodes, answered }, 240_000);
  const got = await ask<{ bytes: number; ms: number }>(ours, true);
  await ask(floor, false);
  return got;
}

/** The first hundred are one of each service, so what follows is the same again. */
function nodeOf(index: number): string {
  return `${namespace}/${podName(index % services, Math.floor(index / services))}`;
}

type Turn = { readonly cpu: number; readonly ms: number };

/** Each is another than the one before, over all sizes. */
function createForms(): Readonly<Record<string, () => Manifest>> {
  let [slices, routes] = [0, 0];
  return {
    'one endpoint': () => sliceOf(0, pods - 1 - (slices++ % 2)),
    'one route': () => routeOf(0, `turn-${routes++}`),
  };
}

async function changesAt(parts: Parts, size: number, forms: ReturnType<typeof createForms>): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [change, form] of Object.entries(forms)) {
    const turns: Record<'ours' | 'floor', Turn[]> = { ours: [], floor: [] };
    let message = '';
    const measure = async (name: 'ours' | 'floor'): Promise<number> => {
      const question = name === 'ours' ? { manifest: form() } : { bytes: message };
      const result = await changeOnce(parts, parts[name], { question, size });
      message = result.message;
      turns[name].push(result);
      return result.cpu;
    };
    // The floor repeats what ours has written last.
    await measure('ours');
    turns.ours.length = 0;
    const { ours, floor, idle, floorIdle } = await inTurns(
      {
        ours: () => measure('ours'),
        floor: () => measure('floor'),
        idle: () => idleOnce(parts.ours),
        floorIdle: () => idleOnce(parts.floor),
      },
      rounds,
    );
    const perProxy = (busy: readonly number[], rest: readonly number[]): number =>
      (median(busy) - median(rest)) / size;
    const [a, b] = [perProxy(ours, idle), perProxy(floor, floorIdle)];
    rows.push({
      change,
      proxies: size,
      bytes: Buffer.from(message, 'base64').length,
      'ours µs': show(a),
      'floor µs': show(b),
      ratio: show(a / b),
      'ours ms to last': show(median(turns.ours.map(({ ms }) => ms))),
      'floor ms': show(median(turns.floor.map(({ ms }) => ms))),
    });
  }
  return rows;
}

type Change = { readonly question: object; readonly size: number };

async function changeOnce({ clients }: Parts, server: Server, { question, size }: Change) {
  const { responses } = await clients.ask<{ responses: number }>({ kind: 'counts', socket: server.socket });
  const began = performance.timeOrigin + performance.now();
  const before = await server.child.ask<number>({ kind: 'change', ...question });
  const last = await clients.ask<{ at: number; message: string }>({
    kind: 'wait',
    socket: server.socket,
    responses: responses + size,
  });
  const left = began + windowMs - (performance.timeOrigin + performance.now());
  if (left < 0) process.stdout.write(`  (a change took longer than its window, by ${show(-left)} ms)\n`);
  await sleep(Math.max(0, left));
  const after = await server.child.ask<number>({ kind: 'cpu' });
  return { cpu: after - before, ms: last.at - began, message: last.message };
}

async function idleOnce({ child }: Server): Promise<number> {
  const before = await child.ask<number>({ kind: 'cpu' });
  await sleep(windowMs);
  return (await child.ask<number>({ kind: 'cpu' })) - before;
}

function memoryRows(memories: readonly { readonly ours: Memory; readonly floor: Memory }[]): Row[] {
  const [few, many] = memories;
  if (few === undefined || many === undefined) return [];
  type Both = { readonly ours: Memory; readonly floor: Memory };
  const slope = (of: (at: Both) => number): number => (of(many) - of(few)) / (sizes[1] - sizes[0]) / 1000;
  const fields: readonly (keyof Memory)[] = ['rss', 'heap', 'buffers'];
  return fields.map((field) => {
    const [ours, floor] = [slope((at) => at.ours[field]), slope((at) => at.floor[field])];
    return {
      kind: { rss: 'RSS', heap: 'heap', buffers: 'buffers' }[field],
      ours: show(ours),
      floor: show(floor),
      ratio: show(ours / floor),
      [`ours in all at ${sizes[1]} (MB)`]: show(many.ours[field] / 1e6),
      'floor in all (MB)': show(many.floor[field] / 1e6),
    };
  });
}
