import { sleep } from '../../base/time.ts';
import { agentSocket, type Call, durationOption, flagOption } from '../call.ts';
import { meshToRead } from '../choose-mesh.ts';
import { showDuration } from '../duration.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { type Edge, readEdges } from '../mesh.ts';
import { print, type View } from '../output.ts';
import type { Style } from '../style.ts';

export async function run(call: Call): Promise<ExitCode> {
  const window = durationOption(call, 'window');
  const mesh = await meshToRead(call);
  const show = async (): Promise<void> => {
    const edges = await readEdges(agentSocket(call, mesh), window);
    await print(call.io, call.format, view(edges, showDuration(window), call.style));
  };
  await show();
  while (flagOption(call, 'watch')) {
    await sleep(2000, call.io.signal);
    // Ctrl-C is how a watch ends: nothing failed.
    if (call.io.signal.aborted) return exitCodes.ok;
    call.io.stdout.write(call.format === 'json' ? '' : '\n');
    await show();
  }
  return exitCodes.ok;
}

/** `-o json` is a bare list: the shape that scripts rely on. */
function view(edges: readonly Edge[], window: string, style: Style): View {
  return {
    data: edges,
    header: ['SOURCE', 'TARGET', 'RPS', 'OK%', 'P50', 'P99', 'MTLS'],
    rows: edges.map((edge) => [
      edge.source,
      edge.target,
      shown(edge.rps, (rps) => rps.toFixed(1)),
      shown(edge.successRate, (rate) => (100 * rate).toFixed(2)),
      shown(edge.p50Ms, (ms) => `${Math.round(ms)}ms`),
      shown(edge.p99Ms, (ms) => `${Math.round(ms)}ms`),
      shown(edge.mtls, (mtls) => (mtls ? `${style.mark('ok')} yes` : `${style.mark('fail')} no`)),
    ]),
    names: edges.map(({ source, target: to }) => `${source}->${to}`),
    empty: `no traffic in the last ${window}`,
  };
}

/** A dash for what nobody knows: TCP has no requests. */
function shown<T>(value: T | null, show: (value: T) => string): string {
  return value === null ? '-' : show(value);
}
