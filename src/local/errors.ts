import { CodedError } from '../base/errors.ts';

/** Every way this room fails, by stable code. One meaning a code, for ever. */
export const localCodes = {
  'WEFT-2501': 'a system command failed',
  'WEFT-2502': 'no pod address is left',
  'WEFT-2503': 'the sidecar did not become ready',
  'WEFT-2504': 'the node agent did not answer as it should',
  'WEFT-2505': 'the runtime cannot listen',
} as const;

export type LocalCode = keyof typeof localCodes;

export class LocalError extends CodedError<LocalCode> {
  override readonly name = 'LocalError';
}
