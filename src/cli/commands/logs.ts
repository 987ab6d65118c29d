import { createInterface } from 'node:readline';
import { type Call, flagOption, textOption, wholeNumberOption } from '../call.ts';
import { meshToRead } from '../choose-mesh.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { asRecord } from '../record.ts';
import { openBody } from '../request.ts';
import { findWorkload } from '../workloads.ts';

export async function run(call: Call): Promise<ExitCode> {
  const tail = wholeNumberOption(call, 'tail', 1_000_000);
  const mesh = await meshToRead(call);
  const workload = await findWorkload(call, mesh, call.args[0] ?? '');
  const query = new URLSearchParams({
    workload,
    container: textOption(call, 'container') ?? 'app',
    tail: String(tail),
    follow: String(flagOption(call, 'follow')),
  });
  const body = await openBody({
    socketPath: mesh.sockets.runtime,
    path: `/v1/logs?${query}`,
    signal: call.io.signal,
    who: 'local runtime',
    // Nothing may have been written yet.
    timeout: 0,
  });
  for await (const line of createInterface({ input: body, signal: call.io.signal })) {
    call.io.stdout.write(`${textOf(line)}\n`);
  }
  return exitCodes.ok;
}

/** The runtime sends `{time, stream, text}` a line; the text is what the workload wrote. */
function textOf(line: string): string {
  const { text } = asRecord(JSON.parse(line));
  return typeof text === 'string' ? text : line;
}
