/** A workload's key and certificate from our own CA, for Envoys that no agent looks after. */
import { join } from 'node:path';
import { secretsOf } from '../../src/agent/secrets.ts';
import { silentLogger } from '../../src/base/log.ts';
import {
  createKeyAndCsr,
  createTokenIssuer,
  loadOrCreateAuthority,
  verifyToken,
} from '../../src/identity/identity.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import { namespace } from './manifests.ts';

export type Credentials = {
  /** PEM. */
  readonly key: string;
  readonly chain: string;
  readonly roots: string;
  readonly secrets: Snapshot;
};

/** Gives credentials by service account, all of one new CA below `directory`. */
export async function createCredentials(directory: string): Promise<(app: string) => Promise<Credentials>> {
  const authority = await loadOrCreateAuthority({
    directory: join(directory, 'ca'),
    trustDomain: 'cluster.local',
    clock: Date.now,
    log: silentLogger,
  });
  const issuer = await createTokenIssuer();
  return async (app) => {
    const now = Date.now();
    const pod = { namespace, serviceAccount: app, pod: { name: app, uid: app } };
    const names = { node: 'lab', workload: app, app, version: 'v1' };
    const token = await issuer.issue({ ...pod, ...names }, { now, ttl: 600_000 });
    const { key, csr } = await createKeyAndCsr();
    const { chain, roots, notAfter } = await authority.sign({
      csr,
      token: await verifyToken({ token, keys: issuer.keys, now }),
      now,
    });
    const identity = `spiffe://cluster.local/ns/${namespace}/sa/${app}`;
    const secrets = secretsOf({ key, chain, roots, identity, notBefore: now, notAfter });
    return { key, chain: chain.join(''), roots, secrets };
  };
}
