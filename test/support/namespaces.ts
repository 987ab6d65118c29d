/**
 * For tests that need a machine of their own: the test file is run again below one `unshare`, with its own network, mounts and
 * processes, and all of it ends with that one process.
 */
import { spawnSync } from 'node:child_process';

const inside = process.env['WEFT_TEST_INSIDE'] === '1';

/** Root, or a machine that lets ordinary users have namespaces, is needed. */
export function runsInside(): boolean {
  return inside;
}

/** Runs a test file inside; gives its exit code and what it printed. */
export function runInside(file: string): { readonly code: number | null; readonly output: string } {
  const script = 'mount -t proc proc /proc && mount -t tmpfs -o mode=755 weft /run && exec "$@"';
  const unshare = ['--net', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script, 'sh'];
  const node = [process.execPath, '--test', '--test-isolation=none', '--test-reporter=spec', file];
  const { status, stdout, stderr } = spawnSync('unshare', [...unshare, ...node], {
    env: { ...process.env, WEFT_TEST_INSIDE: '1', NODE_TEST_CONTEXT: '' },
    encoding: 'utf8',
    timeout: 120_000,
    killSignal: 'SIGKILL',
  });
  return { code: status, output: `${stdout}${stderr}` };
}
