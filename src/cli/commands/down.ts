import { type Call, durationOption, waitFor } from '../call.ts';
import { lookForMesh, none, notNamed } from '../choose-mesh.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { print } from '../output.ts';
import { isRunning, type Target } from '../target.ts';

/** Idempotent: no mesh is what was asked for. */
export async function run(call: Call): Promise<ExitCode> {
  const timeout = durationOption(call, 'timeout');
  const found = await lookForMesh(call);
  if (found.kind === 'none') {
    if (!found.named && found.others.length > 0) throw none(call, found);
    call.io.stderr.write(`nothing to do: ${found.why}\n`);
    return exitCodes.ok;
  }
  if (found.by === 'chance') throw notNamed(call, found.target.directory);
  const { target } = found;
  signal(target, 'SIGTERM');
  await waitFor(call, {
    timeout,
    look: async () => ((await isRunning(target)) ? undefined : true),
    describe: () => `waiting for the mesh in ${target.directory} to end (pid ${target.pid})`,
    next: `kill -KILL ${target.pid} ends it and everything it started at once`,
  });
  const { directory, pid } = target;
  if (call.format === 'table') {
    call.io.stdout.write(`${call.style.mark('ok')} ended the mesh in ${directory}\n`);
    return exitCodes.ok;
  }
  await print(call.io, call.format, {
    data: { apiVersion: 'weft.dev/v1alpha1', kind: 'End', directory, pid },
    header: ['DIRECTORY', 'PID'],
    rows: [[directory, String(pid)]],
    names: [directory],
    empty: '',
  });
  return exitCodes.ok;
}

function signal({ pid, directory }: Target, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ESRCH') return;
    throw new CommandFailure(
      {
        exitCode: exitCodes.noPermission,
        message: `no permission to end the mesh in ${directory} (pid ${pid})`,
        next: 'run the command as the user that started it, or with sudo',
      },
      cause,
    );
  }
}
