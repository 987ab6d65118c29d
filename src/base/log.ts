/** One line of JSON per event. `room` says who speaks; fields are data, not prose. Secrets never get here. */
export type Logger = {
  readonly info: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly warn: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly error: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly child: (room: string) => Logger;
};

type Level = 'info' | 'warn' | 'error';

/** Writes each line through `write`, with the time from `now` (milliseconds since the epoch). */
export function createLogger(write: (line: string) => void, now: () => number, room = 'app'): Logger {
  const log =
    (level: Level) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      write(`${JSON.stringify({ time: new Date(now()).toISOString(), level, room, message, ...fields })}\n`);
    };
  return {
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    child: (name) => createLogger(write, now, name),
  };
}

export const silentLogger: Logger = {
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
