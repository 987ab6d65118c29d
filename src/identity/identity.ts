import { webcrypto } from 'node:crypto';
import { exportJWK, SignJWT } from 'jose';
import type { Logger } from '../base/log.ts';
import type { Clock } from '../base/time.ts';
import { readRoot, type StoredRoot, writeRoot } from './authority-files.ts';
import { leafTemplate, makeSigner, type Signer, signLeaf, validateLeaf } from './certificate.ts';
import { makeCsr, makeKeyPair, privatePem, publicKeyOf } from './csr.ts';
import { IdentityError } from './errors.ts';
import {
  checkToken,
  type PodIdentity,
  type TokenCheck,
  type TokenKeys,
  tokenAlgorithm,
  tokenAudience,
  type VerifiedPod,
  workloadClaim,
} from './token.ts';

export { IdentityError } from './errors.ts';
export type { PodIdentity, TokenKeys, VerifiedPod } from './token.ts';

/**
 * Who is who. In come the platform's signed word about a pod and a proof that somebody holds a key; out comes a short-lived
 * certificate that says what the platform said. Nothing in a request ever decides an identity, and private keys neither
 * leave the process that made them nor get printed; the root key alone is on disk, for its owner to read.
 */
export type Authority = {
  readonly trustDomain: string;
  /** The trust bundle, PEM. The same for the authority's whole life. */
  readonly roots: string;
  /**
   * Writes the root again where it is missing, so that a restart finds the CA that the workloads trust. Throws IdentityError
   * when it cannot be written, or when something else is there.
   */
  readonly keep: () => Promise<void>;
  /** When the issuing CA ends; a successor takes over long before. Milliseconds since the epoch. */
  readonly issuerExpires: () => number;
  /** Throws IdentityError WEFT-2107, 2111 or 2113; a request that is refused costs nothing but its own answer. */
  readonly sign: (request: SignRequest) => Promise<SignedChain>;
};

export type SignRequest = { readonly csr: string; readonly token: VerifiedPod; readonly now: number };

export type SignedChain = {
  /** PEM, the leaf first; the root is not in it. */
  readonly chain: readonly string[];
  readonly roots: string;
  readonly notAfter: number;
};

export type AuthorityOptions = {
  /** The CA's own directory, made when missing. It is read once: removed while running, it is made again at the next start. */
  readonly directory: string;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds. */
  readonly rootLifetime?: number;
  readonly issuingLifetime?: number;
  readonly leafLifetime?: number;
};

const hour = 3_600_000;
const day = 24 * hour;

/**
 * The mesh's authority: its root is on disk, and the issuing CA below it only in memory, replaced in time by itself. So
 * what is on disk changes once in the root's life, and a directory that vanishes does not disturb a running mesh.
 */
export async function loadOrCreateAuthority(options: AuthorityOptions): Promise<Authority> {
  const { signer: root, files } = (await readRoot(options.directory)) ?? (await createRoot(options));
  refuseOther(root, options);
  const { trustDomain, clock, log, issuingLifetime = 30 * day, leafLifetime = hour } = options;
  const issue = async (now: number): Promise<Signer> => {
    refuseExpired(root, options.directory, now);
    const notAfter = Math.min(now + issuingLifetime, root.certificate.notAfter.getTime());
    const made = await makeSigner({
      name: 'Weft issuing CA',
      trustDomain,
      notBefore: now - day,
      notAfter,
      signer: root,
    });
    log.info('new issuing CA', { serial: made.signer.certificate.serialNumber, notAfter: iso(notAfter) });
    return made.signer;
  };
  let signer = await issue(clock());
  return {
    trustDomain,
    roots: root.pem,
    keep: async () => {
      if ((await readRoot(options.directory)) !== undefined || !(await writeRoot(options.directory, files)))
        return;
      log.warn('the CA was gone from its directory and is written again', { directory: options.directory });
    },
    issuerExpires: () => signer.certificate.notAfter.getTime(),
    sign: async ({ csr, token, now }) => {
      const publicKey = await publicKeyOf(csr);
      if (needsSuccessor(signer, root, now)) signer = await issue(now);
      const by = { publicKey, signer };
      const template = leafTemplate(token, { trustDomain, now, ttl: leafLifetime, signer: by.signer });
      const pem = await signLeaf(template, publicKey, by.signer);
      validateLeaf(pem, template, by);
      const { identity, serial, notAfter } = template;
      log.info('certificate signed', {
        identity,
        pod: token.pod,
        node: token.node,
        serial,
        notAfter: iso(notAfter),
      });
      return { chain: [pem, by.signer.pem], roots: root.pem, notAfter };
    },
  };
}

/** Signs pod tokens, as an API server does; for the local runtime, which plays one. */
export type TokenIssuer = {
  /** What verifiers need; holds nothing secret. */
  readonly keys: TokenKeys;
  readonly issue: (
    pod: PodIdentity,
    times: { now: number; ttl: number; audience?: string },
  ) => Promise<string>;
};

/** Makes its key at once and keeps it in memory: with the issuer, the tokens end. */
export async function createTokenIssuer(): Promise<TokenIssuer> {
  const { publicKey, privateKey } = await makeKeyPair();
  const kid = webcrypto.randomUUID();
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid, alg: tokenAlgorithm, use: 'sig' }] };
  return {
    keys,
    issue: async (pod, { now, ttl, audience = tokenAudience }) => {
      const { namespace, serviceAccount, node, workload, app, version } = pod;
      const seconds = Math.floor(now / 1000);
      const kubernetes = {
        namespace,
        pod: pod.pod,
        serviceaccount: { name: serviceAccount },
        node: { name: node },
      };
      return await new SignJWT({ 'kubernetes.io': kubernetes, [workloadClaim]: { workload, app, version } })
        .setProtectedHeader({ alg: tokenAlgorithm, kid })
        .setIssuer('weft')
        .setSubject(`system:serviceaccount:${namespace}:${serviceAccount}`)
        .setAudience(audience)
        .setJti(webcrypto.randomUUID())
        .setIssuedAt(seconds)
        .setNotBefore(seconds)
        .setExpirationTime(seconds + Math.floor(ttl / 1000))
        .sign(privateKey);
    },
  };
}

/** Who a token is about, when everything about it holds; throws IdentityError WEFT-2112. */
export async function verifyToken(
  check: Omit<TokenCheck, 'audience'> & { readonly audience?: string },
): Promise<VerifiedPod> {
  return await checkToken({ audience: tokenAudience, ...check });
}

/** A new key, in memory only, and the request that proves that its maker holds it. Both PEM. */
export async function createKeyAndCsr(): Promise<{ readonly key: string; readonly csr: string }> {
  const keys = await makeKeyPair();
  return { key: await privatePem(keys.privateKey), csr: await makeCsr(keys) };
}

/** When to ask for the next certificate: somewhere in 40 to 80 per cent of this one's life, so that a fleet spreads out. */
export function renewalTime(notBefore: number, notAfter: number, random: () => number): number {
  return notBefore + (notAfter - notBefore) * (0.4 + 0.4 * random());
}

async function createRoot(options: AuthorityOptions): Promise<StoredRoot> {
  const { directory, trustDomain, clock, log, rootLifetime = 3650 * day } = options;
  const now = clock();
  const name = 'Weft root CA';
  const times = { notBefore: now - day, notAfter: now + rootLifetime };
  const { signer, keys } = await makeSigner({ name, trustDomain, ...times });
  const files = { key: await privatePem(keys.privateKey), certificate: signer.pem };
  const mine = await writeRoot(directory, files);
  if (mine) {
    log.info('new root CA', { directory, trustDomain, notAfter: iso(times.notAfter) });
    return { signer, files };
  }
  const other = await readRoot(directory);
  if (other) return other;
  throw new IdentityError('WEFT-2101', {
    message: `The mesh's CA cannot be written to ${directory}: something else is in that directory.`,
    fix: 'Move the other files away, or choose another directory.',
  });
}

/** After two thirds of its life, or when the clock went back before its birth; the last one under a root stays to the end. */
function needsSuccessor(issuing: Signer, root: Signer, now: number): boolean {
  const begin = issuing.certificate.notBefore.getTime();
  const end = issuing.certificate.notAfter.getTime();
  const last = end === root.certificate.notAfter.getTime();
  return now < begin || now >= (last ? end : begin + (2 / 3) * (end - begin));
}

function refuseOther(root: Signer, { directory, trustDomain }: AuthorityOptions): void {
  const found = root.node.subjectAltName;
  if (found === `URI:spiffe://${trustDomain}`) return;
  throw new IdentityError('WEFT-2106', {
    message: `The CA in ${directory} was made for ${found ?? 'no trust domain'}, and this mesh's trust domain is ${trustDomain}.`,
    fix: `Start with the trust domain of the CA, or remove ${directory}: a new CA is made, and workloads get new certificates.`,
  });
}

function refuseExpired(root: Signer, directory: string, now: number): void {
  if (now < root.certificate.notAfter.getTime()) return;
  throw new IdentityError('WEFT-2107', {
    message: `The root certificate in ${directory} expired at ${iso(root.certificate.notAfter.getTime())}.`,
    fix: `Check this machine's clock; if it is right, remove ${directory} and start again: a new CA is made.`,
  });
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
