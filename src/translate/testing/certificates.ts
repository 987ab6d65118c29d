import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

/** Throw-away certificates for one test, as files, since a static Envoy has no SDS. */
export type Certificates = Disposable & {
  readonly directory: string;
  readonly root: string;
  /** Key and chain of a workload, in the form that our CA writes. */
  readonly issue: (of: { readonly namespace: string; readonly serviceAccount: string }) => Promise<KeyPair>;
};
/** Paths of files. */
export type KeyPair = { readonly key: string; readonly chain: string };

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const notBefore = new Date(Date.now() - 60_000);
const notAfter = new Date(Date.now() + 3_600_000);

export async function createCertificates(trustDomain = 'cluster.local'): Promise<Certificates> {
  const directory = mkdtempSync(join(tmpdir(), 'weft-certificates-'));
  const keys = await newKeys();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test root',
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  const root = file(directory, 'root.crt', ca.toString('pem'));
  return {
    directory,
    root,
    issue: async ({ namespace, serviceAccount }) => {
      const own = await newKeys();
      const certificate = await x509.X509CertificateGenerator.create({
        subject: `CN=${serviceAccount}, OU=${serviceAccount}, O=v1`,
        issuer: ca.subject,
        notBefore,
        notAfter,
        signingAlgorithm: algorithm,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.SubjectAlternativeNameExtension([
            { type: 'url', value: `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}` },
          ]),
        ],
      });
      const key = await webcrypto.subtle.exportKey('pkcs8', own.privateKey);
      return {
        chain: file(directory, `${namespace}.${serviceAccount}.crt`, certificate.toString('pem')),
        key: file(
          directory,
          `${namespace}.${serviceAccount}.key`,
          x509.PemConverter.encode(key, 'PRIVATE KEY'),
        ),
      };
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function file(directory: string, name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}
