import 'reflect-metadata';
import { createPublicKey, type KeyObject, webcrypto } from 'node:crypto';
import { Pkcs10CertificateRequest, Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { IdentityError } from './errors.ts';

/** The one kind of key in the mesh. */
export const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
export const signatureAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const;

const maxCsrLength = 8192;

export async function makeKeyPair(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
}

/** The private key as PKCS #8 PEM, for a secret that stays on this machine. */
export async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${der.replace(/.{64}(?=.)/g, '$&\n')}\n-----END PRIVATE KEY-----\n`;
}

/** A request says only "this is my key, and I hold it": nothing else in it is ever read. */
export async function makeCsr(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const request = await Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: signatureAlgorithm,
  });
  return `${request.toString('pem')}\n`;
}

/** The public key of a request whose holder proved to have the private one. Throws WEFT-2111. */
export async function publicKeyOf(csr: string): Promise<KeyObject> {
  if (csr.length > maxCsrLength) throw refused(`it is longer than ${maxCsrLength} characters`);
  const { request, key } = parse(csr);
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw refused('its key is not ECDSA on P-256');
  }
  if (!(await request.verify().catch(() => false))) throw refused('its signature does not belong to its key');
  return key;
}

function parse(csr: string): { request: Pkcs10CertificateRequest; key: KeyObject } {
  try {
    const request = new Pkcs10CertificateRequest(csr);
    // Node's own parser, too: it refuses points that are not on the curve.
    const key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' });
    return { request, key };
  } catch (error) {
    throw refused('it is no PKCS #10 request', error);
  }
}

function refused(why: string, cause?: unknown): IdentityError {
  return new IdentityError('WEFT-2111', {
    message: `The certificate request is refused: ${why}.`,
    fix: 'Send a PEM request (PKCS #10) with an ECDSA P-256 key, signed by that key.',
    cause,
  });
}
