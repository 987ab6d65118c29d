import { type Doors, type Io, run } from '../cli/cli.ts';
import { socketDirectory } from './run-state.ts';
import { envoyVersions, weftVersion } from './version.ts';

/** The first Ctrl-C asks everything to end; a second one does not wait for that. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  const end = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  process.on('SIGHUP', end);
  return controller.signal;
}

const io: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: () => process.stdin,
  env: process.env,
  isTTY: process.stdout.isTTY,
  cwd: process.cwd(),
  signal: interrupted(),
};

// Imported when needed: most commands never touch the mesh's own parts, and shall start at once.
const doors: Doors = {
  versions: { weft: weftVersion, envoy: envoyVersions.pinned },
  up: async (options, to) => (await import('./start.ts')).start(options, to),
  internal: async (args, to) => (await import('./internal.ts')).internal(args, to),
  listStories: async () => (await import('./stories.ts')).listStories(),
  applyStory: async (request) => (await import('./stories.ts')).applyStory(request),
  socketDirectory,
};

// A reader that went away (`weft logs | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await run(process.argv.slice(2), io, doors);
