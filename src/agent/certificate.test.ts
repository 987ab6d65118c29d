import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createLogger, silentLogger } from '../base/log.ts';
import {
  type Authority,
  createKeyAndCsr,
  createTokenIssuer,
  loadOrCreateAuthority,
  type PodIdentity,
  verifyToken,
} from '../identity/identity.ts';
import { type Certificate, keepCertificate } from './certificate.ts';

const start = Date.UTC(2030, 0, 1);
const hour = 3_600_000;
const pod: PodIdentity = {
  namespace: 'campus',
  serviceAccount: 'pay',
  pod: { name: 'pay-0', uid: '1' },
  node: 'here',
  workload: 'pay',
  app: 'pay',
  version: 'v1',
};

let directory = '';
let authority: Authority;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weft-certificate-'));
  const options = { directory: join(directory, 'ca'), trustDomain: 'cluster.local', log: silentLogger };
  authority = await loadOrCreateAuthority({ ...options, clock: () => start });
});
after(async () => {
  await rm(directory, { recursive: true });
});

async function signAs(who: PodIdentity, csr: string, now: number) {
  const issuer = await createTokenIssuer();
  const token = await issuer.issue(who, { now, ttl: hour });
  return await authority.sign({ csr, token: await verifyToken({ token, keys: issuer.keys, now }), now });
}

type Run = {
  readonly sign?: (csr: string, now: number, call: number) => Promise<unknown>;
  /** Ends the run when true. */
  readonly enough: (got: readonly Got[], now: number) => boolean;
  /** Sets the clock, as an administrator would, after each sleep. */
  readonly tamper?: (now: number, got: readonly Got[]) => number;
};
type Got = { readonly at: number; readonly certificate: Certificate };

/** Runs on a clock that stands still but for sleeping. */
async function run({ sign = (csr, now) => signAs(pod, csr, now), enough, tamper = (now) => now }: Run) {
  let now = start;
  let calls = 0;
  const got: Got[] = [];
  const sleeps: number[] = [];
  const lines: string[] = [];
  const end = new AbortController();
  await keepCertificate(
    {
      namespace: 'campus',
      serviceAccount: 'pay',
      sign: (csr) => sign(csr, now, calls++),
      onCertificate: (certificate) => {
        got.push({ at: now, certificate });
        if (enough(got, now)) end.abort();
      },
      clock: () => now,
      sleep: async (ms) => {
        assert.ok(ms > 0 && ms <= 30_000, `sleeps for ${ms} ms`);
        sleeps.push(ms);
        now = tamper(now + ms, got);
        if (enough(got, now) || sleeps.length > 5_000) end.abort();
      },
      random: () => 0.5,
      log: createLogger(
        (line) => lines.push(line),
        () => now,
      ),
    },
    end.signal,
  );
  return { got, sleeps, lines, calls };
}

test('renews at 40 to 80 per cent of life, each time with a new key', async () => {
  const { got } = await run({ enough: (all) => all.length === 4 });
  for (const [index, { at, certificate }] of got.entries()) {
    const next = got[index + 1];
    if (!next) break;
    const part = (next.at - at) / (certificate.notAfter - at);
    assert.ok(part >= 0.4 && part <= 0.81, `after ${part}`);
  }
  assert.equal(new Set(got.map(({ certificate }) => certificate.key)).size, 4);
});

test('a clock that jumps ahead, or back before the certificate began, means a new one within half a minute', async () => {
  for (const jump of [hour, -24 * hour]) {
    let jumpedAt = 0;
    const { got } = await run({
      // The CA's clock is right; a jump back takes the CA along.
      enough: (all) => all.length === 2,
      tamper: (now, all) => {
        if (all.length !== 1 || jumpedAt !== 0 || now < start + 600_000) return now;
        jumpedAt = now + jump;
        return jumpedAt;
      },
    });
    assert.equal(got.length, 2);
    assert.ok((got[1]?.at ?? 0) - jumpedAt <= 30_000, `${jump}`);
  }
});

test('a CA that is away is asked again and again, and complained of once', async () => {
  const { got, lines, sleeps } = await run({
    sign: async (csr, now, call) => {
      if (call < 20) throw new Error('away');
      return await signAs(pod, csr, now);
    },
    enough: (all) => all.length === 1,
  });
  assert.equal(got.length, 1);
  assert.ok(Math.max(...sleeps) <= 10_000);
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).message),
    ['no certificate yet', 'the CA signs again'],
  );
});

test('an answer that is not what was asked for is not used', async () => {
  const other = await createKeyAndCsr();
  const answers: readonly ((csr: string, now: number) => Promise<unknown>)[] = [
    async () => ({}),
    async () => null,
    async () => ({ chain: ['x'], roots: 'y' }),
    async () => ({ chain: [], roots: authority.roots }),
    async (csr, now) => await signAs({ ...pod, serviceAccount: 'admin' }, csr, now),
    async (csr, now) => await signAs({ ...pod, namespace: 'other' }, csr, now),
    async (_, now) => await signAs(pod, other.csr, now),
    async (csr) => await signAs(pod, csr, start - 2 * hour),
  ];
  for (const [index, sign] of answers.entries()) {
    const { got, lines } = await run({ sign, enough: (_, now) => now > start + 60_000 });
    assert.equal(got.length, 0, `answer ${index}`);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /certificate is not used/);
  }
});
