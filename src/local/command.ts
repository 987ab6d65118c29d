import { spawn } from 'node:child_process';
import { LocalError } from './errors.ts';

/** Runs one short command to its end and gives its standard output. `input` goes to its standard input. */
export async function runCommand(command: string, args: readonly string[], input?: string): Promise<string> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // A command that ends without reading its input says why by its exit code.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const code = await new Promise<number | string>((resolve) => {
    child.on('error', (error) => {
      stderr += error.message;
      resolve('not started');
    });
    child.on('close', (exit, signal) => resolve(exit ?? signal ?? 'unknown'));
  });
  if (code === 0) return stdout;
  throw new LocalError('WEFT-2501', {
    message: `\`${[command, ...args].join(' ')}\` failed (${code}): ${stderr.trim()}`,
    fix: 'Run `weft check` for what this machine lacks; if nothing is missing, this is a bug of ours.',
  });
}
