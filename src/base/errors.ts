/** What a failure says beside its code: what went wrong and where, and what to do. Never holds a token or a key. */
export type Failure = { readonly message: string; readonly fix: string; readonly cause?: unknown };

/** A failure with a stable code; each room that throws has its own kind of it, for its own codes. */
export abstract class CodedError<Code extends string> extends Error {
  readonly code: Code;
  readonly fix: string;

  constructor(code: Code, { message, fix, cause }: Failure) {
    super(message, { cause });
    this.code = code;
    this.fix = fix;
  }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
