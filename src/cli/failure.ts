import type { ExitCode } from './exit-codes.ts';

export type FailureText = {
  readonly exitCode: ExitCode;
  /** What happened, and where. */
  readonly message: string;
  /** Why, when that is not plain from the message. */
  readonly why?: string | undefined;
  /** One command to run next. */
  readonly next: string;
};

/** The world or the user is not as a command needs it. Thrown anywhere in a command, shown once by `run`. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly text: FailureText;
  constructor(text: FailureText, cause?: unknown) {
    super(text.message, { cause });
    this.text = text;
  }
}
