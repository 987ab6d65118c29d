import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, randomUUID, X509Certificate } from 'node:crypto';
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { createLogger, silentLogger } from '../base/log.ts';
import { type IdentityCode, IdentityError } from './errors.ts';
import {
  type Authority,
  createKeyAndCsr,
  createTokenIssuer,
  loadOrCreateAuthority,
  type PodIdentity,
  renewalTime,
  type VerifiedPod,
  verifyToken,
} from './identity.ts';
import { identityOf } from './token.ts';

const now = Date.UTC(2030, 0, 1);
const hour = 3_600_000;
const day = 24 * hour;
const trustDomain = 'cluster.local';
const pod: PodIdentity = {
  namespace: 'campus',
  serviceAccount: 'pay',
  pod: { name: 'pay-0', uid: '7c9e6679-7425-40de-944b-e07fc1f90ae7' },
  node: 'here',
  workload: 'pay',
  app: 'payments',
  version: 'v2',
};

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weft-identity-'));
});
after(async () => {
  await rm(directory, { recursive: true });
});

const open = (
  where: string,
  more: Partial<Parameters<typeof loadOrCreateAuthority>[0]> = {},
): Promise<Authority> =>
  loadOrCreateAuthority({ directory: where, trustDomain, clock: () => now, log: silentLogger, ...more });
const newPlace = (): string => join(directory, randomUUID());
const refused = (code: IdentityCode, words = /./) => {
  return (error: unknown): boolean => {
    assert.ok(error instanceof IdentityError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    assert.ok(error.fix.length > 20);
    return true;
  };
};

async function verifiedPod(who: PodIdentity = pod, at = now): Promise<VerifiedPod> {
  const issuer = await createTokenIssuer();
  const token = await issuer.issue(who, { now: at, ttl: 600_000 });
  return await verifyToken({ token, keys: issuer.keys, now: at });
}

async function signOne(authority: Authority, at = now, who: PodIdentity = pod) {
  const { key, csr } = await createKeyAndCsr();
  return { key, csr, ...(await authority.sign({ csr, token: await verifiedPod(who, at), now: at })) };
}

test('openssl verifies the chain and reads what was intended', async () => {
  const place = newPlace();
  const { chain, roots, notAfter, key } = await signOne(await open(place));
  await mkdir(place, { recursive: true });
  const [leaf = '', issuing = ''] = chain;
  await Promise.all([
    writeFile(join(place, 'leaf.pem'), leaf),
    writeFile(join(place, 'issuing.pem'), issuing),
    writeFile(join(place, 'roots.pem'), roots),
  ]);
  const openssl = (...words: string[]): string =>
    execFileSync('openssl', words, { cwd: place, encoding: 'utf8' });
  const at = ['-attime', String(now / 1000), '-x509_strict'];
  for (const purpose of ['sslclient', 'sslserver']) {
    const words = ['-CAfile', 'roots.pem', '-untrusted', 'issuing.pem', '-purpose', purpose, 'leaf.pem'];
    assert.equal(openssl('verify', ...at, ...words), 'leaf.pem: OK\n');
  }
  const text = openssl('x509', '-in', 'leaf.pem', '-noout', '-text');
  assert.match(text, /Subject: O ?= ?v2, OU ?= ?payments, CN ?= ?pay\n/);
  assert.match(text, /Basic Constraints: critical\s+CA:FALSE/);
  assert.match(text, /Key Usage: critical\s+Digital Signature\n/);
  assert.match(
    text,
    /Extended Key Usage: ?\s+TLS Web Server Authentication, TLS Web Client Authentication\n/,
  );
  assert.match(text, /Alternative Name: ?\s+URI:spiffe:\/\/cluster\.local\/ns\/campus\/sa\/pay\n/);
  assert.match(text, /Subject Key Identifier/);
  assert.match(text, /Authority Key Identifier/);
  assert.match(openssl('x509', '-in', 'issuing.pem', '-noout', '-text'), /critical\s+CA:TRUE, pathlen:0/);
  const read = new X509Certificate(leaf);
  assert.equal(read.validFromDate.getTime(), now - 60_000);
  assert.equal(read.validToDate.getTime(), now + hour);
  assert.equal(notAfter, now + hour);
  assert.ok(read.checkPrivateKey(createPrivateKey(key)));
  assert.equal(read.serialNumber.length, 32);
});

test('two signings never share a serial', async () => {
  const authority = await open(newPlace());
  const serials = await Promise.all(
    Array.from(
      { length: 20 },
      async () => new X509Certificate((await signOne(authority)).chain[0] ?? '').serialNumber,
    ),
  );
  assert.equal(new Set(serials).size, 20);
});

test('the subject holds only what names and labels may hold', async () => {
  const authority = await open(newPlace());
  const hostile = { ...pod, workload: `${'w'.repeat(63)}xyz`, app: 'a,CN=root\n/"é', version: '' };
  const { chain } = await signOne(authority, now, hostile);
  const { subject } = new X509Certificate(chain[0] ?? '');
  assert.equal(subject, `O=unknown\nOU=a-CN-root----\nCN=${'w'.repeat(63)}x`);
});

test('a request decides nothing but the key', async () => {
  const place = newPlace();
  await mkdir(place);
  const words = [
    'req',
    '-new',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    'x.key',
  ];
  const wish = [
    '-subj',
    '/CN=admin',
    '-addext',
    'subjectAltName=URI:spiffe://cluster.local/ns/a/sa/admin,DNS:x',
  ];
  const rights = ['-addext', 'basicConstraints=CA:TRUE'];
  const csr = execFileSync('openssl', [...words, ...wish, ...rights], {
    cwd: place,
    encoding: 'utf8',
    stdio: 'pipe',
  });
  const authority = await open(join(place, 'ca'));
  const { chain } = await authority.sign({ csr, token: await verifiedPod(), now });
  const leaf = new X509Certificate(chain[0] ?? '');
  assert.equal(leaf.subjectAltName, 'URI:spiffe://cluster.local/ns/campus/sa/pay');
  assert.equal(leaf.ca, false);
  assert.match(leaf.subject, /CN=pay$/);
});

test('bad requests are refused', async () => {
  const place = newPlace();
  await mkdir(place);
  const authority = await open(join(place, 'ca'));
  const token = await verifiedPod();
  const make = (...kind: string[]): string => {
    const words = ['req', '-new', '-subj', '/CN=x', '-nodes', '-keyout', 'x.key', '-newkey', ...kind];
    return execFileSync('openssl', words, { cwd: place, encoding: 'utf8', stdio: 'pipe' });
  };
  const { csr } = await createKeyAndCsr();
  const der = Buffer.from(csr.replace(/-----.*-----/g, ''), 'base64');
  const pem = (bytes: Buffer): string =>
    `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  const flip = (at: number): string => {
    const copy = Buffer.from(der);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return pem(copy);
  };
  const cases: readonly (readonly [string, RegExp])[] = [
    [make('rsa:2048'), /P-256/],
    [make('ec', '-pkeyopt', 'ec_paramgen_curve:P-384'), /P-256/],
    [make('ed25519'), /P-256/],
    [flip(der.length - 3), /signature/],
    [flip(40), /PKCS|signature|P-256/],
    [`${csr}${' '.repeat(9000)}`, /longer than 8192/],
    ['', /PKCS/],
    ['hello', /PKCS/],
    [pem(Buffer.alloc(4000, 0x30)), /PKCS/],
    [pem(Buffer.alloc(0)), /PKCS/],
    [csr.slice(0, 200), /PKCS/],
  ];
  for (const [bad, words] of cases) {
    await assert.rejects(authority.sign({ csr: bad, token, now }), refused('WEFT-2111', words));
  }
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), async (bytes) => {
      await assert.rejects(
        authority.sign({ csr: pem(Buffer.from(bytes)), token, now }),
        refused('WEFT-2111'),
      );
    }),
    { numRuns: 200 },
  );
});

test('a second start finds the same root, readable by its owner alone', async () => {
  const place = newPlace();
  const first = await open(place);
  const second = await open(place);
  assert.equal(first.roots, second.roots);
  assert.equal((await stat(join(place, 'root.key'))).mode & 0o777, 0o600);
  assert.equal((await stat(place)).mode & 0o777, 0o700);
  assert.deepEqual((await readdir(place)).sort(), ['root.crt', 'root.key']);
});

test('starts at the same moment agree on one root', async () => {
  const place = newPlace();
  const authorities = await Promise.all(Array.from({ length: 5 }, () => open(place)));
  assert.equal(new Set(authorities.map(({ roots }) => roots)).size, 1);
  const left = (await readdir(directory)).filter((name) => name.endsWith('.tmp'));
  assert.deepEqual(left, []);
});

test('a directory that vanishes does not disturb a running authority', async () => {
  const place = newPlace();
  const authority = await open(place);
  await rm(place, { recursive: true });
  assert.equal((await signOne(authority)).roots, authority.roots);
  await authority.keep();
  assert.equal(
    (await open(place)).roots,
    authority.roots,
    'the next start finds the CA that workloads trust',
  );
  assert.equal((await stat(join(place, 'root.key'))).mode & 0o777, 0o600);
});

test('keeping a CA never replaces another that stands in its place', async () => {
  const place = newPlace();
  const authority = await open(place);
  await rm(place, { recursive: true });
  const other = await open(place);
  await authority.keep();
  assert.equal((await open(place)).roots, other.roots);
});

test('damaged files are errors that name the file and the way out', async () => {
  const good = newPlace();
  await open(good);
  const other = newPlace();
  await open(other);
  const cases: readonly (readonly [IdentityCode, RegExp, (place: string) => Promise<unknown>])[] = [
    ['WEFT-2105', /root\.key is missing/, (p) => rm(join(p, 'root.key'))],
    ['WEFT-2105', /root\.crt is missing/, (p) => rm(join(p, 'root.crt'))],
    ['WEFT-2103', /root\.key is damaged/, (p) => truncate(join(p, 'root.key'), 60)],
    ['WEFT-2103', /root\.key is damaged/, (p) => truncate(join(p, 'root.key'), 0)],
    ['WEFT-2103', /root\.crt is damaged/, (p) => truncate(join(p, 'root.crt'), 200)],
    ['WEFT-2103', /root\.crt is damaged/, (p) => writeFile(join(p, 'root.crt'), 'hello')],
    ['WEFT-2103', /does not belong to the key/, (p) => cp(join(other, 'root.crt'), join(p, 'root.crt'))],
    ['WEFT-2104', /mode 644/, (p) => chmod(join(p, 'root.key'), 0o644)],
    ['WEFT-2102', /EISDIR/, (p) => rm(join(p, 'root.crt')).then(() => mkdir(join(p, 'root.crt')))],
  ];
  for (const [code, words, harm] of cases) {
    const place = newPlace();
    await cp(good, place, { recursive: true });
    await chmod(join(place, 'root.key'), 0o600);
    await harm(place);
    await assert.rejects(open(place), refused(code, words));
  }
  await assert.rejects(open(good, { trustDomain: 'other.example' }), refused('WEFT-2106', /other\.example/));
  await assert.rejects(open(good, { clock: () => now + 3651 * day }), refused('WEFT-2107', /expired/));
});

test('a full disk and a forbidden place leave nothing behind', {
  skip: process.getuid?.() !== 0 && 'needs root: mount',
}, async () => {
  // Its own mount namespace, so that no mount can outlive the test.
  const place = newPlace();
  const script = `
    import { loadOrCreateAuthority } from '${join(import.meta.dirname, 'identity.ts')}';
    const log = { info() {}, warn() {}, error() {}, child: () => log };
    const options = { trustDomain: 'cluster.local', clock: Date.now, log };
    for (const directory of ['${place}/ca', '${place}.ro/ca'])
      await loadOrCreateAuthority({ ...options, directory }).then(() => console.log('made'), (e) => console.log(e.code, e.message));`;
  const shell = `mkdir -p ${place} && mount -t tmpfs -o size=4k,nr_inodes=3 none ${place} &&
    mkdir ${place}.ro && mount -t tmpfs -o ro none ${place}.ro &&
    ${process.execPath} --input-type=module -e "$SCRIPT" && ls -A ${place}`;
  const run = spawnSync('unshare', ['--mount', 'sh', '-c', shell], {
    encoding: 'utf8',
    env: { ...process.env, SCRIPT: script },
    timeout: 20_000,
  });
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stdout, /^WEFT-2101 .*ENOSPC.*\nWEFT-2101 .*\.ro\/ca: EROFS.*\n$/);
});

test('the issuing CA is replaced in time, and no leaf outlives it', async () => {
  let time = now;
  const authority = await open(newPlace(), {
    clock: () => time,
    issuingLifetime: 3 * day,
    rootLifetime: 10 * day,
  });
  const seen = new Set<string>();
  for (; time < now + 10 * day; time += 7 * hour) {
    const { chain, notAfter } = await signOne(authority, time);
    const [leaf, issuing] = chain.map((pem) => new X509Certificate(pem));
    assert.ok(leaf && issuing && leaf.checkIssued(issuing) && leaf.verify(issuing.publicKey));
    assert.ok(notAfter <= issuing.validToDate.getTime());
    assert.ok(notAfter > time);
    seen.add(issuing.serialNumber);
  }
  assert.ok(seen.size >= 4, `${seen.size} issuing CAs`);
  const last = await signOne(authority, now + 10 * day - hour / 2);
  assert.equal(last.notAfter, now + 10 * day, 'half an hour is left of the root');
  await assert.rejects(signOne(authority, now + 10 * day), refused('WEFT-2107'));
});

test('every signing is logged, and neither token nor key is', async () => {
  const lines: string[] = [];
  const log = createLogger(
    (line) => lines.push(line),
    () => now,
  );
  const { key } = await signOne(await open(newPlace(), { log }));
  const signed = lines.filter((line) => line.includes('certificate signed'));
  assert.equal(signed.length, 1);
  assert.match(
    signed[0] ?? '',
    /"identity":"spiffe:\/\/cluster.local\/ns\/campus\/sa\/pay".*"pay-0".*"serial":"[0-9a-f]{32}"/,
  );
  const all = lines.join('');
  assert.ok(!all.includes('eyJ') && !all.includes('PRIVATE') && !all.includes(key.split('\n')[1] ?? '?'));
});

test('a good token gives the pod back', async () => {
  assert.deepEqual(await verifiedPod(), pod);
  assert.equal(identityOf(pod, 'example.org'), 'spiffe://example.org/ns/campus/sa/pay');
});

test('bad tokens are refused', async () => {
  const issuer = await createTokenIssuer();
  const other = await createTokenIssuer();
  const { keys } = issuer;
  const times = { now, ttl: 600_000 };
  const good = await issuer.issue(pod, times);
  const [header = '', payload = '', signature = ''] = good.split('.');
  const claims: Record<string, unknown> = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const rewritten = (change: object): string =>
    [header, Buffer.from(JSON.stringify({ ...claims, ...change })).toString('base64url'), signature].join(
      '.',
    );
  const jwk = JSON.stringify(keys.keys[0]);
  const hmac = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(jwk));
  const check = { keys, now };
  // A key among the right ones, but of an algorithm that nobody agreed on.
  const rsa = await generateKeyPair('RS256');
  const rsaKeys = { keys: [await exportJWK(rsa.publicKey)] };
  const rsaToken = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).sign(rsa.privateKey);
  const bad: readonly (readonly [string, Parameters<typeof verifyToken>[0]])[] = [
    ['other audience', { ...check, token: await issuer.issue(pod, { ...times, audience: 'api' }) }],
    ['expired', { ...check, token: good, now: now + 620_000 }],
    ['not yet', { ...check, token: good, now: now - 60_000 }],
    ['other key', { ...check, token: await other.issue(pod, times) }],
    ['alg none', { ...check, token: new UnsecuredJWT(claims).encode() }],
    [
      'alg none by hand',
      { ...check, token: `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.` },
    ],
    ['public key as secret', { ...check, token: hmac }],
    ['other algorithm', { ...check, keys: rsaKeys, token: rsaToken }],
    ['changed pod', { ...check, token: rewritten({ sub: 'system:serviceaccount:campus:admin' }) }],
    ['no expiry', { ...check, token: rewritten({ exp: undefined }) }],
    ['other node', { ...check, token: good, node: 'there' }],
    ['garbage', { ...check, token: 'a.b.c' }],
    ['empty', { ...check, token: '' }],
    ['huge', { ...check, token: 'a'.repeat(20_000) }],
  ];
  for (const [what, request] of bad) {
    await assert.rejects(verifyToken(request), refused('WEFT-2112'), what);
    await verifyToken(request).catch((error: Error) => assert.ok(!error.message.includes('eyJ'), what));
  }
  await assert.doesNotReject(verifyToken({ ...check, token: good, node: 'here' }));
});

test('names that do not belong into a SPIFFE ID are refused', async () => {
  const issuer = await createTokenIssuer();
  const long = 'a'.repeat(64);
  const ok: readonly Partial<PodIdentity>[] = [
    { namespace: 'a' },
    { namespace: 'a'.repeat(63) },
    { serviceAccount: 'a.b-c.d' },
    { serviceAccount: '0' },
  ];
  const bad: readonly Partial<PodIdentity>[] = [
    ...['', 'A', 'a/b', '..', 'a.b', '-a', 'a-', long, 'a b', 'ä', 'a\n', '%2e'].map((namespace) => ({
      namespace,
    })),
    ...['', 'A', 'a/../b', '.', 'a..b', '.a', 'a.', 'a'.repeat(254), 'a?b', 'a#b'].map((s) => ({
      serviceAccount: s,
    })),
    { pod: { name: 'pay-0', uid: '' } },
    { pod: { name: 'pay 0', uid: '1' } },
    { node: '' },
  ];
  const verify = async (change: Partial<PodIdentity>): Promise<VerifiedPod> =>
    await verifyToken({
      token: await issuer.issue({ ...pod, ...change }, { now, ttl: hour }),
      keys: issuer.keys,
      now,
    });
  for (const change of ok) assert.deepEqual(await verify(change), { ...pod, ...change });
  for (const change of bad)
    await assert.rejects(verify(change), refused('WEFT-2112'), JSON.stringify(change));
});

test('renewal falls in 40 to 80 per cent of life', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1000, max: 10 * day }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (life, r) => {
        const at = renewalTime(now, now + life, () => r);
        assert.ok(at >= now + 0.4 * life && at <= now + 0.8 * life);
      },
    ),
  );
  assert.equal(
    renewalTime(0, 100, () => 0),
    40,
  );
});

test('the key is P-256 and the request carries it', async () => {
  const { key, csr } = await createKeyAndCsr();
  assert.equal(createPublicKey(key).asymmetricKeyDetails?.namedCurve, 'prime256v1');
  const text = execFileSync('openssl', ['req', '-noout', '-verify', '-subject'], {
    input: csr,
    encoding: 'utf8',
    stdio: 'pipe',
  });
  assert.match(text, /subject=\s*$/);
  assert.match(await readFile(join(import.meta.dirname, 'csr.ts'), 'utf8'), /ECDSA/);
});
