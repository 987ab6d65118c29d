import 'reflect-metadata';
import { X509Certificate as Certificate, createPrivateKey, type KeyObject, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Signer, signerOf } from './certificate.ts';
import { keyAlgorithm } from './csr.ts';
import { type IdentityCode, IdentityError, systemReason } from './errors.ts';

const keyFile = 'root.key';
const certificateFile = 'root.crt';

/** A root CA, and the files that hold it. */
export type StoredRoot = { readonly signer: Signer; readonly files: RootFiles };
/** PEM. */
export type RootFiles = { readonly key: string; readonly certificate: string };

/** The root of a directory; `undefined` when none was ever made there. Anything between the two is an error. */
export async function readRoot(directory: string): Promise<StoredRoot | undefined> {
  const key = await readOrMissing(join(directory, keyFile));
  const pem = await readOrMissing(join(directory, certificateFile));
  if (key === undefined && pem === undefined) return undefined;
  if (key === undefined) throw incomplete(directory, keyFile);
  if (pem === undefined) throw incomplete(directory, certificateFile);
  await refuseOpenKey(join(directory, keyFile));
  const privateKey = parseKey(join(directory, keyFile), key);
  const certificate = parseCertificate(join(directory, certificateFile), pem);
  if (!certificate.checkPrivateKey(privateKey)) {
    throw damaged(join(directory, certificateFile), 'it does not belong to the key beside it');
  }
  const signer = signerOf(pem, privateKey.toCryptoKey(keyAlgorithm, false, ['sign']));
  return { signer, files: { key, certificate: pem } };
}

/**
 * Writes a new root as a whole: both files go into a temporary directory that is then renamed into place, so that a
 * crash, a full disk or a second process leaves either no CA or a whole one. False when somebody else was first.
 */
export async function writeRoot(directory: string, root: RootFiles): Promise<boolean> {
  const temporary = `${directory}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(directory), { recursive: true, mode: 0o700 });
    await mkdir(temporary, { mode: 0o700 });
    await writeDurably(join(temporary, keyFile), root.key, 0o600);
    await writeDurably(join(temporary, certificateFile), root.certificate, 0o644);
    await syncDirectory(temporary);
    await rename(temporary, directory);
    await syncDirectory(dirname(directory));
    return true;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    const reason = systemReason(error);
    if (reason === 'ENOTEMPTY' || reason === 'EEXIST') return false;
    throw fail('WEFT-2101', {
      message: `The mesh's CA cannot be written to ${directory}: ${reason}.`,
      fix: `Make ${dirname(directory)} writable for this user, with some space left on its disk, or choose another directory.`,
      cause: error,
    });
  }
}

async function writeDurably(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function readOrMissing(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const reason = systemReason(error);
    if (reason === 'ENOENT') return undefined;
    throw fail('WEFT-2102', {
      message: `The CA file ${path} cannot be read: ${reason}.`,
      fix: 'Run Weft as the user that made this directory, or give this user the right to read it.',
      cause: error,
    });
  }
}

async function refuseOpenKey(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & 0o077) === 0) return;
  throw fail('WEFT-2104', {
    message: `The CA key ${path} is open to other users (mode ${(mode & 0o777).toString(8)}): whoever read it can be any workload.`,
    fix: `If nobody else can have read it, run: chmod 600 ${path}. Otherwise remove ${dirname(path)}, and a new CA is made.`,
  });
}

function parseKey(path: string, pem: string): KeyObject {
  const key = parse(path, () => createPrivateKey(pem));
  if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  throw damaged(path, 'it is not an ECDSA P-256 key');
}

function parseCertificate(path: string, pem: string): Certificate {
  const certificate = parse(path, () => new Certificate(pem));
  if (!certificate.ca) throw damaged(path, 'it is not a CA certificate');
  if (!certificate.verify(certificate.publicKey)) throw damaged(path, 'its own signature does not hold');
  return certificate;
}

function parse<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    // The parser's own words are left out: they could quote what stands in a key file.
    throw damaged(path, `it is cut off or no PEM (${systemReason(error).slice(0, 40)})`);
  }
}

function damaged(path: string, why: string): IdentityError {
  return fail('WEFT-2103', {
    message: `The CA file ${path} is damaged: ${why}.`,
    fix: `Put back a copy of both files, or remove ${dirname(path)}: a new CA is made, and workloads get new certificates.`,
  });
}

function incomplete(directory: string, missing: string): IdentityError {
  return fail('WEFT-2105', {
    message: `The CA in ${directory} is incomplete: ${missing} is missing.`,
    fix: `Put back a copy of ${missing}, or remove ${directory}: a new CA is made, and workloads get new certificates.`,
  });
}

function fail(code: IdentityCode, problem: { message: string; fix: string; cause?: unknown }): IdentityError {
  return new IdentityError(code, problem);
}
