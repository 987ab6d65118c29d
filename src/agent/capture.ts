import { spawn } from 'node:child_process';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { reasonOf } from '../base/errors.ts';
import { captureRules } from './capture-rules.ts';
import { AgentError } from './errors.ts';

const maxErrorLength = 2_000;
const timeout = 10_000;
/** The namespace's place among the child's open files. */
const childFd = 3;

/** Brings a pod's TCP traffic to its sidecar. Idempotent; the rules come as one transaction or not at all. */
export async function capture(netns: string): Promise<void> {
  // Held open, so that what was looked at is what is entered, whatever happens to the path meanwhile.
  await using namespace = await openNamespace(netns);
  await refuseOwn(namespace, netns);
  try {
    await run(['nsenter', `--net=/proc/self/fd/${childFd}`, 'nft', '-f', '-'], captureRules, namespace.fd);
  } catch (error) {
    throw new AgentError('WEFT-2204', {
      message: `The capture rules cannot be written into ${netns}: ${reasonOf(error)}.`,
      fix: 'The agent needs CAP_NET_ADMIN and CAP_SYS_ADMIN over the pod, and the programs nsenter and nft; the kernel needs nf_tables with NAT.',
      cause: error,
    });
  }
}

async function openNamespace(netns: string): Promise<FileHandle> {
  try {
    return await open(netns, 'r');
  } catch (error) {
    throw notAPod(netns, `it cannot be opened (${reasonOf(error)})`, error);
  }
}

/** Rules in the node's own namespace would cut off the node. */
async function refuseOwn(namespace: FileHandle, netns: string): Promise<void> {
  const [own, first, it] = await Promise.all([
    stat('/proc/self/ns/net'),
    // Another user's first process may not be looked at; then the own one has to do.
    stat('/proc/1/ns/net').catch(() => undefined),
    namespace.stat(),
  ]);
  if (it.dev !== own.dev) throw notAPod(netns, 'it is no namespace');
  if (it.ino === own.ino || it.ino === first?.ino) throw notAPod(netns, "it is the node's own");
}

function notAPod(netns: string, why: string, cause?: unknown): AgentError {
  return new AgentError('WEFT-2203', {
    message: `${netns} is not a pod's network namespace: ${why}.`,
    fix: 'Pods of the host network cannot be meshed; otherwise this is a defect of what asked the agent.',
    cause,
  });
}

function run(command: readonly string[], input: string, fd: number): Promise<void> {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['pipe', 'ignore', 'pipe', fd],
      timeout,
      killSignal: 'SIGKILL',
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(0, maxErrorLength);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(said.trim() || `${program} ended with ${code ?? signal ?? 'no code'}`));
    });
    // It may end before it has read everything; how it ended says why.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}
