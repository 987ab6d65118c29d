/** Why a mesh cannot be started, and what to do about it. */
export class UpFailure extends Error {
  override readonly name = 'UpFailure';
  readonly exitCode: number;
  /** One line each. */
  readonly fixes: readonly string[];

  constructor(message: string, problem: { exitCode?: number; fixes: readonly string[]; cause?: unknown }) {
    super(message, { cause: problem.cause });
    this.exitCode = problem.exitCode ?? 1;
    this.fixes = problem.fixes;
  }
}
