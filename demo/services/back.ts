import { createServer } from 'node:net';
import { call, serve } from './http.ts';

export function fx(): void {
  serve(8080, ({ path }) =>
    path === '/rates/USD-EUR'
      ? { status: 200, body: { rate: 0.8637 } }
      : { status: 404, body: { error: `no rate at ${path}` } },
  );
}

/** The books: entries over HTTP on 8080, one audit line at a time over TCP on 9000. */
export function ledger(): void {
  let count = 0;
  let sum = 0;
  serve(8080, ({ method, path, body }) => {
    if (path !== '/entries') return { status: 404, body: { error: `nothing at ${path}` } };
    if (method !== 'POST') return { status: 200, body: { count, sum } };
    count++;
    sum += Number(body.cents);
    return { status: 201, body: { id: count } };
  });
  createServer((socket) => {
    socket.on('data', (line) => socket.write(`OK ${line.toString().split(' ')[0] ?? ''}\n`));
    // A caller that hangs up is no business of the ledger's.
    socket.on('error', () => {});
  }).listen(9000, '0.0.0.0');
}

/** Sends receipts; SLOW_MS makes it slow, and CURIOUS=1 makes it read what is none of its business. */
export function notify(): void {
  const slow = Number(process.env.SLOW_MS ?? 0);
  serve(8080, async ({ method, path }) => {
    if (path !== '/receipts' || method !== 'POST')
      return { status: 404, body: { error: `nothing at ${path}` } };
    if (slow > 0) await new Promise((resolve) => setTimeout(resolve, slow));
    return { status: 202, body: { queued: true } };
  });
  if (process.env.CURIOUS === '1') readLedger();
}

/** Reads the ledger twice a second and says what came of it. */
export function readLedger(): void {
  const read = async (): Promise<void> => {
    const { status, body } = await call('http://ledger/entries');
    console.log(JSON.stringify({ message: 'GET ledger/entries', status, body }));
  };
  setInterval(() => void read(), 500);
}
