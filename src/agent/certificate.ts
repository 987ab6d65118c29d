import { createPrivateKey, X509Certificate } from 'node:crypto';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { backoff, type Clock } from '../base/time.ts';
import { createKeyAndCsr, renewalTime } from '../identity/identity.ts';
import { AgentError } from './errors.ts';

/** A workload's certificate with its key; PEM. The key exists in this process's memory and in its Envoy's, nowhere else. */
export type Certificate = {
  readonly key: string;
  /** The leaf first. */
  readonly chain: readonly string[];
  readonly roots: string;
  readonly identity: string;
  /** Milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
};

export type CertificateOptions = {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Asks the CA; whatever comes back is looked at before it is believed. */
  readonly sign: (csr: string) => Promise<unknown>;
  readonly onCertificate: (certificate: Certificate) => void;
  readonly clock: Clock;
  /** Waits so many milliseconds, or until the signal aborts; never rejects. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly random: () => number;
  readonly log: Logger;
};

/** However long a certificate lives, the clock is looked at this often: it may have been set. */
const longestSleep = 30_000;
const firstRetry = 100;
const lastRetry = 10_000;

/** Keeps a workload supplied with certificates, each with a new key, until the signal aborts. Never rejects. */
export async function keepCertificate(options: CertificateOptions, signal: AbortSignal): Promise<void> {
  const { random, log } = options;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const certificate = await request(options);
      if (signal.aborted) return;
      if (failures > 0) log.info('the CA signs again', { afterFailures: failures });
      failures = 0;
      options.onCertificate(certificate);
      await waitForRenewal(certificate, options, signal);
    } catch (error) {
      // Once for each time it goes wrong, not for each try.
      if (failures === 0 && !signal.aborted) log.warn('no certificate yet', { reason: reasonOf(error) });
      await options.sleep(backoff(failures, firstRetry, lastRetry, random), signal);
      failures += 1;
    }
  }
}

/** Counted from now, as certificates are back-dated. A clock set back before the certificate's birth ends the wait as well. */
async function waitForRenewal(
  { notBefore, notAfter }: Certificate,
  { clock, random, sleep }: CertificateOptions,
  signal: AbortSignal,
): Promise<void> {
  const due = renewalTime(clock(), notAfter, random);
  // At least for a moment: a CA that signs for no time at all is not asked without end.
  await sleep(firstRetry, signal);
  while (!signal.aborted && clock() < due && clock() >= notBefore) {
    await sleep(Math.min(due - clock(), longestSleep), signal);
  }
}

async function request(options: CertificateOptions): Promise<Certificate> {
  const { key, csr } = await createKeyAndCsr();
  const { chain, roots } = parseAnswer(await options.sign(csr));
  const [first = ''] = chain;
  const leaf = parseCertificate(first);
  const identity = leaf.subjectAltName?.replace(/^URI:/, '') ?? '';
  const wanted = `/ns/${options.namespace}/sa/${options.serviceAccount}`;
  if (
    !/^spiffe:\/\/[a-z0-9._-]+(?=\/)/.test(identity) ||
    identity.replace(/^spiffe:\/\/[^/]+/, '') !== wanted
  ) {
    throw refused(`it is for ${identity || 'nobody'} and not for spiffe://<trust domain>${wanted}`);
  }
  if (!leaf.checkPrivateKey(createPrivateKey(key))) throw refused('it is for another key');
  const [notBefore, notAfter] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()];
  if (notAfter <= options.clock())
    throw refused('it has expired already: compare the clocks of this node and of the CA');
  return { key, chain, roots, identity, notBefore, notAfter };
}

function parseAnswer(answer: unknown): { chain: readonly string[]; roots: string } {
  if (typeof answer === 'object' && answer !== null && 'chain' in answer && 'roots' in answer) {
    const { chain, roots } = answer;
    if (Array.isArray(chain) && chain.every((pem) => typeof pem === 'string') && typeof roots === 'string') {
      for (const pem of [...chain, roots]) parseCertificate(pem);
      return { chain, roots };
    }
  }
  throw refused('the answer has no chain or no roots');
}

function parseCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw refused('it cannot be read', error);
  }
}

function refused(why: string, cause?: unknown): AgentError {
  return new AgentError('WEFT-2206', {
    message: `The CA's certificate is not used: ${why}.`,
    fix: 'The agent asks again; if it goes on, the control plane and the agent do not belong together.',
    cause,
  });
}
