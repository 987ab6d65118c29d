/** A client in a pod's network: waits for an answer to become 200, or sends at a steady rate whatever comes back. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { answer } from '../support/child.ts';
import { quantile } from '../support/measure.ts';

type Target = { readonly host: string; readonly port: number; readonly path: string };

/** One keep-alive connection, one request at a time. */
type Line = { readonly get: (path: string) => Promise<number>; readonly close: () => void };

function openLine({ host, port }: Target): Line {
  const socket: Socket = connect({ host, port, noDelay: true });
  let text = '';
  let waiting: { resolve: (status: number) => void; reject: (error: Error) => void } | undefined;
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    text += chunk;
    const head = text.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, head + 2))?.[1] ?? 0);
    if (text.length < head + 4 + length) return;
    const status = Number(text.slice(9, 12));
    text = '';
    waiting?.resolve(status);
    waiting = undefined;
  });
  const fail = (error: Error): void => {
    waiting?.reject(error);
    waiting = undefined;
  };
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('closed')));
  return {
    get: (path) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) reject(new Error('closed'));
        waiting = { resolve, reject };
        socket.write(`GET ${path} HTTP/1.1\r\nhost: ${host}:${port}\r\n\r\n`);
      }),
    close: () => socket.destroy(),
  };
}

/** Nanoseconds on the clock that all processes share. */
async function untilOk(target: Target, withinMs: number): Promise<string> {
  let line = openLine(target);
  let last = '';
  try {
    for (const end = performance.now() + withinMs; performance.now() < end; ) {
      try {
        const status = await line.get(target.path);
        if (status === 200) return String(process.hrtime.bigint());
        last = String(status);
      } catch (error) {
        last = String(error);
        line.close();
        line = openLine(target);
      }
      await sleep(1);
    }
  } finally {
    line.close();
  }
  throw new Error(`${target.host}:${target.port}${target.path} was not 200 in ${withinMs} ms: ${last}`);
}

type Load = {
  readonly target: Target;
  readonly rate: number;
  readonly seconds: number;
  readonly lines: number;
};

/** Open loop: what is due is sent whatever has come back, and waiting for a free line counts as waiting. */
async function load({ target, rate, seconds, lines }: Load) {
  const all = Array.from({ length: lines }, () => openLine(target));
  const free = [...all];
  const due: bigint[] = [];
  const times: number[] = [];
  const failures = new Map<string, number>();
  const send = async (line: Line, since: bigint): Promise<void> => {
    const status = await line.get(target.path).catch(String);
    times.push(Number(process.hrtime.bigint() - since) / 1000);
    if (status !== 200) failures.set(String(status), (failures.get(String(status)) ?? 0) + 1);
    const next = due.shift();
    if (next === undefined) free.unshift(line);
    else await send(line, next);
  };
  const began = performance.now();
  const flying: Promise<void>[] = [];
  for (let sent = 0; sent < rate * seconds; await sleep(1)) {
    const wanted = Math.min(rate * seconds, Math.floor(((performance.now() - began) * rate) / 1000));
    for (; sent < wanted; sent++) {
      const line = free.pop();
      if (line === undefined) due.push(process.hrtime.bigint());
      else flying.push(send(line, process.hrtime.bigint()));
    }
  }
  await Promise.all(flying);
  for (const line of all) line.close();
  const [p50, p90, p99] = [0.5, 0.9, 0.99].map((share) => quantile(times, share));
  return { sent: times.length, failures: Object.fromEntries(failures), p50, p90, p99 };
}

answer({
  untilOk: ({ target, withinMs }: { target: Target; withinMs: number }) => untilOk(target, withinMs),
  load,
});
