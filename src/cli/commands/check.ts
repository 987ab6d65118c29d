import type { MeshStatus, ProblemEntry, ProxyEntry } from '../../admin/types.ts';
import { adminSocket, agentSocket, type Call, durationOption } from '../call.ts';
import { allChecks, type Facts, type Section } from '../checks.ts';
import { meshToRead } from '../choose-mesh.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { type AdminSocket, readEdges, readObjects, readProblems, readProxies, readStatus } from '../mesh.ts';
import { print, showData } from '../output.ts';
import { asList, asRecord, asText } from '../record.ts';
import { askJson } from '../request.ts';
import type { Target } from '../target.ts';
import { trafficWindow } from '../traffic-checks.ts';
import type { Check } from '../verdict.ts';

/** Gathers first, judges second: the checks themselves are data in, verdicts out. */
export async function run(call: Call): Promise<ExitCode> {
  const mesh = await meshToRead(call);
  const sections = allChecks(await gather(call, mesh));
  await show(call, sections);
  const failed = sections.some(({ checks }) => checks.some(({ result }) => result === 'fail'));
  return failed ? exitCodes.problems : exitCodes.ok;
}

async function gather(call: Call, mesh: Target): Promise<Facts> {
  const socket = adminSocket(call, mesh);
  const [status, proxies, problems, agent, runtime, edges, services] = await Promise.all([
    outcome<MeshStatus>(readStatus(socket)),
    outcome<readonly ProxyEntry[]>(readProxies(socket).then(({ items }) => items)),
    outcome<readonly ProblemEntry[]>(readProblems(socket).then(({ items }) => items)),
    outcome(askJson({ ...agentSocket(call, mesh), path: '/workloads', who: 'node agent' })),
    outcome(askJson({ ...runtimeSocket(call, mesh), path: '/v1/workloads', who: 'local runtime' })),
    outcome(readEdges(agentSocket(call, mesh), trafficWindow)),
    outcome(readObjects(socket, { kind: 'Service' }).then(({ items }) => items)),
  ]);
  const service = 'value' in services ? services.value[0]?.object.metadata : undefined;
  return {
    pid: mesh.pid,
    status,
    proxies,
    problems,
    agent,
    runtime,
    edges,
    dns: service
      ? await askName(call, mesh, `${service.name}.${service.namespace}.svc.cluster.local`)
      : undefined,
    envoy: call.doors.versions.envoy,
    weft: call.doors.versions.weft,
    certificateMargin: durationOption(call, 'certMargin'),
    now: Date.now(),
  };
}

type Outcome<T> = { readonly value: T } | { readonly failure: string };

async function outcome<T>(promise: Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await promise };
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    return { failure: error.text.why ? `${error.message}: ${error.text.why}` : error.message };
  }
}

function runtimeSocket(call: Call, mesh: Target): AdminSocket {
  return { socketPath: mesh.sockets.runtime, signal: call.io.signal };
}

/** Asked inside the mesh: its DNS server listens only there. `undefined` when the runtime cannot be asked. */
async function askName(call: Call, mesh: Target, name: string): Promise<Facts['dns']> {
  const path = `/v1/dns?name=${encodeURIComponent(name)}`;
  const answer = await outcome(askJson({ ...runtimeSocket(call, mesh), path, who: 'local runtime' }));
  if ('failure' in answer) return undefined;
  return { name, addresses: asList(asRecord(answer.value).addresses).map(asText) };
}

async function show(call: Call, sections: readonly Section[]): Promise<void> {
  const checks = sections.flatMap((section) => section.checks);
  const failed = checks.filter(({ result }) => result === 'fail');
  const warned = checks.filter(({ result }) => result === 'warn');
  const { format, io, style } = call;
  if (format === 'json' || format === 'yaml') {
    const data = {
      apiVersion: 'weft.dev/v1alpha1',
      kind: 'CheckReport',
      success: failed.length === 0,
      sections,
    };
    io.stdout.write(await showData(format, data));
    return;
  }
  if (format === 'name') {
    const names = [...failed, ...warned].map(({ id }) => id);
    await print(io, format, { data: {}, header: [], rows: [], names, empty: '' });
    return;
  }
  for (const section of sections) {
    io.stdout.write(`${section.name}\n${'-'.repeat(section.name.length)}\n`);
    for (const check of section.checks) io.stdout.write(checkLines(check, style).join(''));
    io.stdout.write('\n');
  }
  const ok = checks.length - failed.length - warned.length;
  const mark = style.mark(failed.length > 0 ? 'fail' : 'ok');
  io.stdout.write(`${mark} ${failed.length} failed, ${warned.length} warned, ${ok} ok\n`);
}

function checkLines({ result, text, detail, fix }: Check, style: Call['style']): readonly string[] {
  const word = { ok: '', warn: 'warn: ', fail: 'failed: ' }[result];
  return [
    `${style.mark(result)} ${word}${text}\n`,
    ...detail.map((line) => `    ${line}\n`),
    ...(fix === undefined ? [] : [style.hint(`    fix: ${fix}\n`)]),
  ];
}
