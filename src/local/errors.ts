/** Every way this room fails, by stable code. One meaning a code, for ever. */
export const localCodes = {
  'WEFT-2501': 'a system command failed',
  'WEFT-2502': 'no pod address is left',
  'WEFT-2503': 'the sidecar did not become ready',
  'WEFT-2504': 'the node agent did not answer as it should',
  'WEFT-2505': 'the runtime cannot listen',
} as const;

export type LocalCode = keyof typeof localCodes;

/** What went wrong, where, why, and what to do. */
export class LocalError extends Error {
  readonly code: LocalCode;
  readonly fix: string;

  constructor(code: LocalCode, problem: { message: string; fix: string; cause?: unknown }) {
    super(problem.message, { cause: problem.cause });
    this.name = 'LocalError';
    this.code = code;
    this.fix = problem.fix;
  }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
