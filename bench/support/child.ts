/** A benchmark's other processes: Node scripts beside it, each asked by messages, each ended with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

/** What is asked, by name; the rest is for who answers. */
export type Question = { readonly kind: string; readonly [field: string]: unknown };

export type Child = AsyncDisposable & {
  readonly pid: number;
  /** Sends a question and gives its answer. Rejects when the script throws, ends, or takes too long. */
  readonly ask: <T = void>(question: Question, withinMs?: number) => Promise<T>;
};

type Answer = { readonly id: number; readonly value?: unknown; readonly error?: string };

export type ChildOptions = {
  /** For Node. */
  readonly flags?: readonly string[];
  /** A command that starts the command after it, such as `nsenter`. */
  readonly through?: readonly string[];
};

/** Starts `bench/<script>`; resolves when it answers. */
export async function startChild(script: string, options: ChildOptions = {}): Promise<Child> {
  const { flags = [], through = [] } = options;
  const [command = '', ...args] = [...through, process.execPath, ...flags];
  const child = spawn(command, [...args, join(import.meta.dirname, '..', script)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, (answer: Answer) => void>();
  let asked = 0;
  child.on('message', (answer: Answer) => waiting.get(answer.id)?.(answer));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ask = async <T = void>(question: Question, withinMs = 60_000): Promise<T> => {
    const id = asked++;
    const answer = await new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${script}: no answer to ${question.kind} in ${withinMs} ms`)),
        withinMs,
      );
      const finish = (end: () => void) => (): void => {
        clearTimeout(timer);
        waiting.delete(id);
        end();
      };
      waiting.set(id, (got) => finish(() => resolve(got))());
      void exited.then(finish(() => reject(new Error(`${script} ended`))));
      child.send({ id, question });
    });
    if (answer.error !== undefined) throw new Error(`${script}: ${answer.error}`);
    // Both ends are ours, and stand side by side.
    return answer.value as T;
  };
  const askSafely: Child['ask'] = (question, withinMs) => {
    const answered = ask<never>(question, withinMs);
    // Whoever fails before it waits for an answer has said what was wrong.
    answered.catch(() => {});
    return answered;
  };
  await ask({ kind: 'hello' });
  return {
    // It has answered, so it has a pid.
    pid: child.pid as number,
    ask: askSafely,
    async [Symbol.asyncDispose]() {
      end(child);
      await exited;
    },
  };
}

function end(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}

export type Answers = Readonly<Record<string, (question: never) => unknown>>;

/** In a child: answers questions by their `kind`. Ends with its parent. */
export function answer(answers: Answers): void {
  process.on('disconnect', () => process.exit(0));
  process.on('message', ({ id, question }: { id: number; question: Question }) => {
    const reply = async (): Promise<unknown> => {
      if (question.kind === 'hello') return undefined;
      const act = answers[question.kind];
      if (act === undefined) throw new Error(`cannot ${question.kind}`);
      // The question was made for this answer, beside it.
      return await act(question as never);
    };
    reply().then(
      (value) => process.send?.({ id, value }),
      (error: unknown) => process.send?.({ id, error: error instanceof Error ? error.stack : String(error) }),
    );
  });
}
