import { sleep } from '../../base/time.ts';
import { agentSocket, type Call, durationOption, flagOption } from '../call.ts';
import { meshToRead } from '../choose-mesh.ts';
import { showDuration } from '../duration.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { type Edge, isOutside, readEdges } from '../mesh.ts';
import { endOfMesh } from '../mesh-end.ts';
import { print, type View } from '../output.ts';
import type { Style } from '../style.ts';
import type { Target } from '../target.ts';

export async function run(call: Call): Promise<ExitCode> {
  const mesh = await meshToRead(call);
  await show(call, mesh);
  return flagOption(call, 'watch') ? watch(call, mesh) : exitCodes.ok;
}

async function watch(call: Call, mesh: Target): Promise<ExitCode> {
  for (;;) {
    await sleep(2000, call.io.signal);
    if (call.io.signal.aborted) return exitCodes.interrupted;
    try {
      await show(call, mesh, call.format === 'json' ? '' : '\n');
    } catch (error) {
      const ended = error instanceof CommandFailure ? await endOfMesh(call, mesh) : undefined;
      if (ended === undefined) throw error;
      return ended;
    }
  }
}

async function show(call: Call, mesh: Target, before = ''): Promise<void> {
  const window = durationOption(call, 'window');
  const edges = await readEdges(agentSocket(call, mesh), window);
  call.io.stdout.write(before);
  await print(call.io, call.format, view(edges, showDuration(window), call.style));
}

/** `-o json` is a bare list of these seven fields: the shape that scripts rely on. */
function view(edges: readonly Edge[], window: string, style: Style): View {
  return {
    data: edges.map(({ source, target, rps, successRate, p50Ms, p99Ms, mtls }) => {
      return { source, target, rps, successRate, p50Ms, p99Ms, mtls };
    }),
    header: ['SOURCE', 'TARGET', 'RPS', 'OK%', 'DENIED%', 'P50', 'P99', 'MTLS'],
    rows: edges.map((edge) => [
      isOutside(edge) ? 'outside' : edge.source,
      edge.target,
      ...(isIdle(edge) ? ['-', '-', '-', '-', '-', '-'] : cells(edge, style)),
    ]),
    names: edges.map(({ source, target: to }) => `${source}->${to}`),
    empty: `no traffic in the last ${window}`,
  };
}

function isIdle({ rps, connections }: Edge): boolean {
  return !rps && connections === 0;
}

function cells(edge: Edge, style: Style): string[] {
  // What is outside has no certificate to show: that is no fault of the mesh.
  const no = isOutside(edge) ? 'no' : `${style.mark('fail')} no`;
  const percent = (rate: number): string => (100 * rate).toFixed(2);
  return [
    shown(edge.rps, (rps) => rps.toFixed(1)),
    shown(edge.successRate, percent),
    shown(edge.denied, percent),
    shown(edge.p50Ms, (ms) => `${Math.round(ms)}ms`),
    shown(edge.p99Ms, (ms) => `${Math.round(ms)}ms`),
    shown(edge.mtls, (mtls) => (mtls ? `${style.mark('ok')} yes` : no)),
  ];
}

/** A dash for what nobody knows: TCP has no requests. */
function shown<T>(value: T | null, show: (value: T) => string): string {
  return value === null ? '-' : show(value);
}
