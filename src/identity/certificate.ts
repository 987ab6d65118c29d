import 'reflect-metadata';
import { X509Certificate as Certificate, type KeyObject, randomBytes, type webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { makeKeyPair, signatureAlgorithm } from './csr.ts';
import { IdentityError } from './errors.ts';
import { identityOf, type VerifiedPod } from './token.ts';

/** A CA certificate with its key, ready to sign. */
export type Signer = {
  readonly certificate: X509Certificate;
  /** The same certificate, in Node's hands. */
  readonly node: Certificate;
  readonly pem: string;
  readonly key: webcrypto.CryptoKey;
};

/** What a leaf shall say, decided before anything is signed. Times are whole seconds, in milliseconds. */
export type LeafTemplate = {
  readonly identity: string;
  readonly workload: string;
  readonly app: string;
  readonly version: string;
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
};

export type LeafOptions = {
  readonly trustDomain: string;
  readonly now: number;
  readonly ttl: number;
  readonly signer: Signer;
};

/** Clocks of peers may be this far behind ours. */
const backDating = 60_000;

/** Everything comes from the pod's verified token; nothing from the request. */
export function leafTemplate(pod: VerifiedPod, { trustDomain, now, ttl, signer }: LeafOptions): LeafTemplate {
  return {
    identity: identityOf(pod, trustDomain),
    workload: subjectValue(pod.workload),
    app: subjectValue(pod.app),
    version: subjectValue(pod.version),
    serial: randomSerial(),
    notBefore: wholeSecond(now - backDating),
    notAfter: wholeSecond(Math.min(now + ttl, signer.certificate.notAfter.getTime())),
  };
}

/** A leaf for mutual TLS in both roles, as PEM. */
export async function signLeaf(
  template: LeafTemplate,
  publicKey: KeyObject,
  signer: Signer,
): Promise<string> {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const certificate = await X509CertificateGenerator.create({
    serialNumber: template.serial,
    subject: new Name([
      { O: [{ utf8String: template.version }] },
      { OU: [{ utf8String: template.app }] },
      { CN: [{ utf8String: template.workload }] },
    ]),
    issuer: signer.certificate.subjectName,
    notBefore: new Date(template.notBefore),
    notAfter: new Date(template.notAfter),
    publicKey: spki,
    signingKey: signer.key,
    signingAlgorithm: signatureAlgorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([{ type: 'url', value: template.identity }]),
      await SubjectKeyIdentifierExtension.create(spki),
      await AuthorityKeyIdentifierExtension.create(signer.certificate),
    ],
  });
  return pemOf(certificate);
}

/** Reads the leaf back with another parser and holds it against what was intended. Throws WEFT-2113. */
export function validateLeaf(
  pem: string,
  template: LeafTemplate,
  by: { publicKey: KeyObject; signer: Signer },
): void {
  const leaf = new Certificate(pem);
  const checks: Readonly<Record<string, boolean>> = {
    issuer: leaf.checkIssued(by.signer.node) && leaf.verify(by.signer.node.publicKey),
    identity: leaf.subjectAltName === `URI:${template.identity}`,
    subject: leaf.subject === `O=${template.version}\nOU=${template.app}\nCN=${template.workload}`,
    key: leaf.publicKey.equals(by.publicKey),
    authority: !leaf.ca,
    usage: leaf.keyUsage?.join() === `${ExtendedKeyUsage.serverAuth},${ExtendedKeyUsage.clientAuth}`,
    serial: leaf.serialNumber.toLowerCase() === template.serial,
    begin: leaf.validFromDate.getTime() === template.notBefore,
    end:
      leaf.validToDate.getTime() === template.notAfter &&
      template.notAfter <= by.signer.certificate.notAfter.getTime(),
  };
  const wrong = Object.keys(checks).filter((name) => !checks[name]);
  if (wrong.length === 0) return;
  throw new IdentityError('WEFT-2113', {
    message: `The certificate for ${template.identity} came out with another ${wrong.join(', ')} than intended; it was thrown away.`,
    fix: 'This is a defect of Weft: please report it.',
  });
}

/** A CA certificate: self-signed without a signer, else under it with path length 0. */
export async function makeSigner(options: {
  readonly name: string;
  readonly trustDomain: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly signer?: Signer;
}): Promise<{ signer: Signer; keys: webcrypto.CryptoKeyPair }> {
  const keys = await makeKeyPair();
  const subject = new Name([
    { O: [{ utf8String: options.trustDomain }] },
    { CN: [{ utf8String: options.name }] },
  ]);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject,
    issuer: options.signer?.certificate.subjectName ?? subject,
    notBefore: new Date(wholeSecond(options.notBefore)),
    notAfter: new Date(wholeSecond(options.notAfter)),
    publicKey: keys.publicKey,
    signingKey: options.signer?.key ?? keys.privateKey,
    signingAlgorithm: signatureAlgorithm,
    extensions: await authorityExtensions(keys.publicKey, options),
  });
  return { signer: signerOf(pemOf(certificate), keys.privateKey), keys };
}

export function signerOf(pem: string, key: webcrypto.CryptoKey): Signer {
  return { certificate: new X509Certificate(pem), node: new Certificate(pem), pem, key };
}

async function authorityExtensions(
  publicKey: webcrypto.CryptoKey,
  { trustDomain, signer }: { trustDomain: string; signer?: Signer },
): Promise<Extension[]> {
  return [
    new BasicConstraintsExtension(true, signer ? 0 : undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    // https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md#3.2: a signer's ID has no path.
    new SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
    await SubjectKeyIdentifierExtension.create(publicKey),
    ...(signer ? [await AuthorityKeyIdentifierExtension.create(signer.certificate)] : []),
  ];
}

/**
 * What may stand in a subject. Proxies cut it out of the printed name at `=` and `,`, so only letters that Kubernetes
 * allows in names and labels get in, and no more of them than X.520 allows.
 */
function subjectValue(value: string): string {
  return value.slice(0, 64).replace(/[^A-Za-z0-9._-]/g, '-') || 'unknown';
}

/** 128 bits, positive, and never with a leading zero byte: its hexadecimal form is the same everywhere. */
function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function wholeSecond(time: number): number {
  return Math.floor(time / 1000) * 1000;
}

function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}
