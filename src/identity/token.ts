import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import { type SpiffeId, spiffeId } from '../model/names.ts';
import { IdentityError } from './errors.ts';

/** Whom a token is about: the platform's word on one pod, as the signer of certificates needs it. */
export type PodIdentity = {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: { readonly name: string; readonly uid: string };
  readonly node: string;
  /** What metrics call the workload. */
  readonly workload: string;
  readonly app: string;
  readonly version: string;
};

declare const verified: unique symbol;
/** A pod's identity out of a token whose signature, times and audience held. Only `verifyToken` makes one. */
export type VerifiedPod = PodIdentity & { readonly [verified]: true };

/** Public halves of the keys that sign pod tokens, as an API server publishes them. */
export type TokenKeys = JSONWebKeySet;

export const tokenAudience = 'weft-ca';
export const tokenAlgorithm = 'ES256';
/** The private claim that carries what metrics call a workload; the rest is where Kubernetes puts it. */
export const workloadClaim = 'weft.dev';

const maxTokenLength = 16_384;
/** Two machines' clocks may differ by this many seconds. */
const clockTolerance = 10;

export type TokenCheck = {
  readonly token: string;
  readonly keys: TokenKeys;
  readonly audience: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** When given, the token must be bound to a pod of this node. */
  readonly node?: string;
};

/** Throws WEFT-2112 with a reason that is safe to log; the token itself is in no message. */
export async function checkToken(check: TokenCheck): Promise<VerifiedPod> {
  if (check.token.length > maxTokenLength) throw refused(`it is longer than ${maxTokenLength} characters`);
  const payload = await readPayload(check);
  const pod = podOf(payload);
  if (check.node !== undefined && pod.node !== check.node) {
    throw refused(`its pod runs on node ${pod.node}, and ${check.node} asks`);
  }
  // The one place where the brand is given: everything above has held.
  return pod as VerifiedPod;
}

/** What the SVID of this pod says. */
export function identityOf(pod: PodIdentity, trustDomain: string): SpiffeId {
  return spiffeId(trustDomain, pod.namespace, pod.serviceAccount);
}

async function readPayload({ token, keys, audience, now }: TokenCheck): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
      algorithms: [tokenAlgorithm],
      audience,
      clockTolerance,
      currentDate: new Date(now),
      requiredClaims: ['aud', 'exp', 'iat', 'nbf', 'sub'],
    });
    return payload;
  } catch (error) {
    throw refused(
      error instanceof errors.JOSEError ? `${error.code}: ${error.message}` : 'it is no JWT',
      error,
    );
  }
}

function podOf(payload: JWTPayload): PodIdentity {
  const kubernetes = objectIn(payload, 'kubernetes.io');
  const namespace = nameIn(kubernetes, 'namespace', dnsLabel);
  const serviceAccount = nameIn(objectIn(kubernetes, 'serviceaccount'), 'name', dnsSubdomain);
  if (payload.sub !== `system:serviceaccount:${namespace}:${serviceAccount}`) {
    throw refused('its subject and its service account differ');
  }
  const pod = objectIn(kubernetes, 'pod');
  const weft = objectIn(payload, workloadClaim);
  return {
    namespace,
    serviceAccount,
    pod: { name: nameIn(pod, 'name', dnsSubdomain), uid: nameIn(pod, 'uid', uid) },
    node: nameIn(objectIn(kubernetes, 'node'), 'name', dnsSubdomain),
    workload: stringIn(weft, 'workload'),
    app: stringIn(weft, 'app'),
    version: stringIn(weft, 'version'),
  };
}

const dnsLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const dnsSubdomain = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const uid = /^[A-Za-z0-9-]{1,64}$/;

function objectIn(parent: object, key: string): object {
  const value = valueIn(parent, key);
  if (typeof value !== 'object' || value === null) throw refused(`it has no claim ${key}`);
  return value;
}

function stringIn(parent: object, key: string): string {
  const value = valueIn(parent, key);
  if (typeof value !== 'string') throw refused(`its claim ${key} is no string`);
  return value;
}

function nameIn(parent: object, key: string, form: RegExp): string {
  const value = stringIn(parent, key);
  if (!form.test(value)) throw refused(`its claim ${key} is no valid name`);
  return value;
}

function valueIn(parent: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(parent, key)?.value;
}

function refused(why: string, cause?: unknown): IdentityError {
  return new IdentityError('WEFT-2112', {
    message: `The pod's token is refused: ${why}.`,
    fix: 'The node agent asks again with the next token that the platform gives; if it goes on, compare clocks and audiences.',
    cause,
  });
}
