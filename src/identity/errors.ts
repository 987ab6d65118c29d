import { CodedError } from '../base/errors.ts';

/** Every way this room fails, by stable code. One meaning a code, for ever. */
export const identityCodes = {
  'WEFT-2101': 'the CA directory cannot be written',
  'WEFT-2102': 'a CA file cannot be read',
  'WEFT-2103': 'a CA file is damaged',
  'WEFT-2104': 'the CA key is open to other users',
  'WEFT-2105': 'the CA is incomplete',
  'WEFT-2106': 'the CA belongs to another trust domain',
  'WEFT-2107': 'the CA has expired',
  'WEFT-2111': 'the certificate request is refused',
  'WEFT-2112': 'the token is refused',
  'WEFT-2113': 'a certificate came out different from what was intended',
} as const;

export type IdentityCode = keyof typeof identityCodes;

export class IdentityError extends CodedError<IdentityCode> {
  override readonly name = 'IdentityError';
}

/** Node's own code of a failed system call (`EACCES`, `ENOSPC`), or the message when there is none. */
export function systemReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
