import { stat } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { type Call, durationOption, flagOption, textOption, wholeNumberOption } from '../call.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import type { UpOptions } from '../io.ts';
import { shellWord } from '../style.ts';

/** Reads the options; the work is the program's own. */
export async function run(call: Call): Promise<ExitCode> {
  const options = upOptions(call);
  await refuseFile(call, options);
  const code = await call.doors.up(options, call.io);
  // The program's exit codes are those of the table; a foreign one is still passed on as it is.
  return code as ExitCode;
}

async function refuseFile({ io }: Call, { directory }: UpOptions): Promise<void> {
  if (directory === undefined || !(await stat(directory).catch(() => undefined))?.isFile()) return;
  const [shown, above] = [relative(io.cwd, directory), relative(io.cwd, dirname(directory))];
  throw new CommandFailure({
    exitCode: exitCodes.usage,
    message: `${shown} is a file, and up runs a directory of such files`,
    next: `weft up ${shellWord(above || '.')}`,
  });
}

function upOptions(call: Call): UpOptions {
  const [argument] = call.args;
  const option = textOption(call, 'dir') ?? (call.io.env.WEFT_DIR || undefined);
  if (argument !== undefined && textOption(call, 'dir') !== undefined && argument !== option) {
    throw new CommandFailure({
      exitCode: exitCodes.usage,
      message: `two directories: ${argument} and ${option}`,
      next: `weft up ${argument}`,
    });
  }
  const directory = argument ?? option;
  const envoy = textOption(call, 'envoy');
  const port = (name: string): number | undefined =>
    textOption(call, name) === undefined ? undefined : wholeNumberOption(call, name, 65_535);
  const [shopPort, metricsPort] = [port('shopPort'), port('metricsPort')];
  return {
    ...(directory !== undefined && { directory: resolve(call.io.cwd, directory) }),
    demo: flagOption(call, 'demo'),
    ...(shopPort !== undefined && { shopPort }),
    ...(metricsPort !== undefined && { metricsPort }),
    separate: flagOption(call, 'separate'),
    certificateTtlSeconds: Math.max(1, Math.round(durationOption(call, 'certTtl') / 1000)),
    outboundPolicy: textOption(call, 'outboundPolicy') === 'REGISTRY_ONLY' ? 'REGISTRY_ONLY' : 'ALLOW_ANY',
    ...(envoy !== undefined && { envoy: resolve(call.io.cwd, envoy) }),
  };
}
