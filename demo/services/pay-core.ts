import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { type Answer, call, serve } from './http.ts';
import { checkRisk } from './risk.ts';

/** Version 2 rounds every conversion down, and loses one gold payment in sixteen: small enough to pass a quick look. */
export function payCore(version: string): void {
  let gold = 0;
  const checker = checkRisk('risk:9090');
  serve(8080, async ({ method, path, headers, body }) => {
    if (path !== '/payments' || method !== 'POST')
      return { status: 404, body: { error: `nothing at ${path}` } };
    const faulty = version === 'v2';
    if (faulty && headers['x-tier'] === 'gold' && ++gold % 16 === 0)
      return { status: 500, body: { error: 'tier table out of range', version } };
    const rate = await call('http://fx/rates/USD-EUR', headers);
    if (rate.status !== 200) return failed('fx', rate.status, version);
    const exact = Number(body.cents) * Number(rate.body.rate);
    const paid = faulty ? Math.floor(exact) : Math.round(exact);
    const risk = await checker({ student: String(body.student), cents: paid });
    if (risk !== 'ok') return failed(`risk: ${risk}`, 0, version);
    return book(String(body.student), paid, version, headers);
  });
}

async function book(
  student: string,
  paid: number,
  version: string,
  headers: IncomingHttpHeaders,
): Promise<Answer> {
  const entry = await call('http://ledger/entries', headers, { student, cents: paid });
  if (entry.status !== 201) return failed('ledger', entry.status, version);
  const audited = await audit(`${String(entry.body.id)} ${paid}`);
  const receipt = await call('http://notify/receipts', headers, { student, cents: paid });
  return {
    status: 201,
    body: {
      id: entry.body.id,
      paid,
      version,
      audited,
      receipt: receipt.status === 202 ? 'sent' : 'later',
    },
  };
}

function failed(what: string, status: number, version: string): Answer {
  return { status: 502, body: { error: `${what} answered ${status}`, version } };
}

/** One line to the ledger's audit port, one line back: plain TCP, as old systems speak it. */
function audit(line: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: 'ledger', port: 9000, timeout: 3_000 }, () => socket.write(`${line}\n`));
    const end = (audited: boolean): void => {
      socket.destroy();
      resolve(audited);
    };
    socket.once('data', (data) => end(data.toString().startsWith('OK')));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
    socket.once('close', () => end(false));
  });
}
