import { readFile } from 'node:fs/promises';
import { runCommand } from './command.ts';
import type { Readiness } from './pod-set.ts';

/** Ports that something listens on in the network namespace of a process, on any address. */
export async function listeningPorts(pid: number): Promise<ReadonlySet<number>> {
  const tables = await Promise.all(
    // The process may be gone, and IPv6 may be off.
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/${pid}/net/${name}`, 'utf8').catch(() => '')),
  );
  return new Set(tables.flatMap(parseListening));
}

const listenState = '0A';

/** The columns are `sl local_address rem_address st …`, addresses and ports in hexadecimal. */
export function parseListening(table: string): number[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local, , state] = line.trim().split(/\s+/);
      const port = local?.split(':')[1];
      return state === listenState && port !== undefined ? [Number.parseInt(port, 16)] : [];
    });
}

/** Runs inside the pod, where the request is its own affair: capture leaves loopback alone, and mTLS is not asked for. */
const probeScript = `
const [host, port, path, timeout] = process.argv.slice(1);
const request = require('node:http').get({ host, port, path, timeout: +timeout }, (response) => {
  process.exit(response.statusCode >= 200 && response.statusCode < 400 ? 0 : 1);
});
request.on('timeout', () => process.exit(1));
request.on('error', () => process.exit(1));
`;

/** One probe, as the kubelet makes it; a TCP probe is answered from the kernel's table. */
export async function probe(readiness: Readiness, where: { netns: string; pid: number }): Promise<boolean> {
  const { kind, port, path, timeout } = readiness;
  if (!(await listeningPorts(where.pid)).has(port)) return false;
  if (kind === 'tcp') return true;
  const args = ['-e', probeScript, '127.0.0.1', String(port), path, String(timeout)];
  return await runCommand('nsenter', [`--net=${where.netns}`, process.execPath, ...args]).then(
    () => true,
    () => false,
  );
}
