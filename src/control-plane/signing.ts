import { readFile } from 'node:fs/promises';
import type { Logger } from '../base/log.ts';
import { type Clock, sleep } from '../base/time.ts';
import {
  type Authority,
  IdentityError,
  loadOrCreateAuthority,
  type TokenKeys,
  verifyToken,
} from '../identity/identity.ts';
import type { MeshSettings } from '../model/mesh.ts';
import { callRefused } from '../xds/xds.ts';

export type SigningOptions = {
  readonly settings: MeshSettings;
  /** The CA's own directory. */
  readonly authorityDirectory: string;
  /** File with the public keys of who signs pod tokens. */
  readonly tokenKeysFile: string;
  /** Milliseconds a workload's certificate lives. */
  readonly certificateTtl: number;
  readonly clock: Clock;
  readonly log: Logger;
};

export type Signing = {
  /** The one call that makes a certificate. Who may have which is in the token; the request only proves a key. */
  readonly sign: (body: unknown) => Promise<unknown>;
  /** When the newest certificate of each workload ends. */
  readonly expiries: ReadonlyMap<string, number>;
  readonly issuerExpires: () => number;
};

/** Keeps the CA's files where they belong until the signal aborts. */
export async function createSigning(options: SigningOptions, signal: AbortSignal): Promise<Signing> {
  const { settings, clock, log } = options;
  const authority = await loadOrCreateAuthority({
    directory: options.authorityDirectory,
    trustDomain: settings.trustDomain,
    clock,
    log: log.child('identity'),
    leafLifetime: options.certificateTtl,
  });
  const expiries = new Map<string, number>();
  void keepFiles(authority, log, signal);
  const sign = async (body: unknown): Promise<unknown> => {
    // Every field is checked below; a body that is no object has none.
    const { csr, token } = Object(body) as { csr?: unknown; token?: unknown };
    if (typeof csr !== 'string' || typeof token !== 'string')
      throw callRefused('invalid-argument', 'a request has a csr and a token, both strings');
    // Read anew each time: keys rotate, and asking is rare.
    const keys: TokenKeys = JSON.parse(await readFile(options.tokenKeysFile, 'utf8'));
    const now = options.clock();
    const refused = (error: unknown): never => {
      if (!(error instanceof IdentityError)) throw error;
      options.log.warn('certificate refused', { code: error.code, reason: error.message });
      throw callRefused('permission-denied', error.message, { cause: error });
    };
    const pod = await verifyToken({ token, keys, now }).catch(refused);
    const signed = await authority.sign({ csr, token: pod, now }).catch(refused);
    expiries.set(`${pod.namespace}/${pod.pod.name}`, signed.notAfter);
    return signed;
  };
  return { sign, expiries, issuerExpires: authority.issuerExpires };
}

const keepEvery = 5_000;

async function keepFiles(authority: Authority, log: Logger, signal: AbortSignal): Promise<void> {
  let said = '';
  while (!signal.aborted) {
    await sleep(keepEvery, signal);
    const reason = await authority.keep().then(
      () => '',
      (error: unknown) => String(error),
    );
    if (reason !== said && reason !== '') log.warn('the CA is not safe on disk', { reason });
    said = reason;
  }
}
