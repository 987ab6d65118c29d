import type { Readable } from 'node:stream';
import { type Call, flagOption, textOption, wholeNumberOption } from '../call.ts';
import { meshToRead } from '../choose-mesh.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { endOfMesh } from '../mesh-end.ts';
import { type Format, showData } from '../output.ts';
import { asRecord } from '../record.ts';
import { openBody } from '../request.ts';
import { findWorkload } from '../workloads.ts';

export async function run(call: Call): Promise<ExitCode> {
  const { io } = call;
  const tail = wholeNumberOption(call, 'tail', 1_000_000);
  const follow = flagOption(call, 'follow');
  const mesh = await meshToRead(call);
  const workload = await findWorkload(call, mesh, call.args[0] ?? '');
  const query = new URLSearchParams({
    workload,
    container: textOption(call, 'container') ?? 'app',
    tail: String(tail),
    follow: String(follow),
  });
  const body = await openBody({
    socketPath: mesh.sockets.runtime,
    path: `/v1/logs?${query}`,
    signal: io.signal,
    who: 'local runtime',
    // Nothing may have been written yet.
    timeout: 0,
  });
  const cut = await copy(body, async (line) => io.stdout.write(await shown(line, call.format)));
  if (io.signal.aborted) return exitCodes.interrupted;
  if (!follow && cut === undefined) return exitCodes.ok;
  const ended = await endOfMesh(call, mesh);
  if (ended !== undefined) return ended;
  if (cut !== undefined) throw brokenOff(cut);
  io.stderr.write(`${workload} has ended\n`);
  return exitCodes.ok;
}

/** Gives what cut the stream short, if something did. */
async function copy(body: Readable, write: (line: string) => Promise<unknown>): Promise<Error | undefined> {
  let rest = '';
  try {
    for await (const chunk of body.setEncoding('utf8')) {
      const lines = `${rest}${String(chunk)}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) await write(line);
    }
    return undefined;
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
}

function brokenOff(cause: Error): CommandFailure {
  return new CommandFailure(
    {
      exitCode: exitCodes.unreachable,
      message: 'the local runtime broke off in the middle',
      why: cause.message,
      next: 'weft check',
    },
    cause,
  );
}

/** For scripts one JSON object a line, or one YAML document; for people what the workload wrote. */
async function shown(line: string, format: Format): Promise<string> {
  if (format === 'json') return `${line}\n`;
  if (format === 'yaml') return `---\n${await showData('yaml', JSON.parse(line))}`;
  return `${textOf(line)}\n`;
}

/** The runtime sends `{time, stream, text}` a line; the text is what the workload wrote. */
function textOf(line: string): string {
  const { text } = asRecord(JSON.parse(line));
  return typeof text === 'string' ? text : line;
}
