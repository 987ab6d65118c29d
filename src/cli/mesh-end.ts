import { sleep } from '../base/time.ts';
import type { Call } from './call.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { isRunning, isTidy, type Target } from './target.ts';

/** Its sockets end before the mesh itself does, and its `run.json` goes last. */
const patience = 5000;

/**
 * For commands that watch, when what they watch has ended: if that is the mesh's own end, says so and gives the exit
 * code; `undefined` when the mesh goes on.
 */
export async function endOfMesh({ io }: Call, mesh: Target): Promise<ExitCode | undefined> {
  if (!(await within(patience, io.signal, async () => !(await isRunning(mesh))))) return undefined;
  const tidy = await within(2000, io.signal, () => isTidy(mesh));
  if (io.signal.aborted) return exitCodes.interrupted;
  io.stderr.write(`the mesh has ended${tidy ? '' : ', and not in order'}\n`);
  return tidy ? exitCodes.ok : exitCodes.unreachable;
}

async function within(ms: number, signal: AbortSignal, look: () => Promise<boolean>): Promise<boolean> {
  const until = performance.now() + ms;
  while (!(await look())) {
    if (signal.aborted || performance.now() >= until) return false;
    await sleep(50, signal);
  }
  return true;
}
