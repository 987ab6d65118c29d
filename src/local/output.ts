import { nextWake } from '../base/latest.ts';

/** One line that a container wrote. */
export type OutputLine = {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
};

/** The newest lines of one container, kept over its restarts. */
export type Output = {
  /** Feeds raw text of one stream; lines are cut here. */
  readonly write: (stream: OutputLine['stream'], text: string) => void;
  /** The process ended: what stands without a newline is a line now. */
  readonly flush: () => void;
  readonly tail: (count: number) => readonly OutputLine[];
  /** The last `tail` lines, then every later one; a reader that is too slow misses lines. Ends with the signal. */
  readonly follow: (tail: number, signal: AbortSignal) => AsyncIterable<OutputLine>;
};

const maxLines = 2_000;
const maxLineLength = 8_192;

export function createOutput(clock: () => number): Output {
  // A ring: line n stands at n % maxLines.
  const lines: OutputLine[] = [];
  let count = 0;
  const open = { stdout: '', stderr: '' };
  const wakers = new Set<() => void>();

  const add = (stream: OutputLine['stream'], text: string): void => {
    lines[count++ % maxLines] = { time: clock(), stream, text: text.slice(0, maxLineLength) };
  };
  const wake = (): void => {
    for (const waker of wakers) waker();
  };
  const from = (start: number): OutputLine[] => {
    const first = Math.max(start, count - maxLines, 0);
    return Array.from({ length: count - first }, (_, n) => lines[(first + n) % maxLines]).filter(
      (line) => line !== undefined,
    );
  };

  return {
    write: (stream, text) => {
      const parts = (open[stream] + text).split('\n');
      // A line that never ends must not grow for ever.
      open[stream] = (parts.pop() ?? '').slice(-maxLineLength);
      for (const part of parts) add(stream, part);
      if (parts.length > 0) wake();
    },
    flush: () => {
      for (const stream of ['stdout', 'stderr'] as const) {
        if (open[stream] !== '') add(stream, open[stream]);
        open[stream] = '';
      }
      wake();
    },
    tail: (wanted) => from(count - wanted),
    follow: async function* (tail, signal) {
      let next = Math.max(0, count - tail);
      while (!signal.aborted) {
        const fresh = from(next);
        next = count;
        yield* fresh;
        if (next === count) await nextWake(wakers, signal);
      }
    },
  };
}
