import type { MeshStatus, ObjectEntry, ProblemEntry, ProxyEntry } from '../../admin/types.ts';
import { adminSocket, agentSocket, type Call, durationOption, flagOption, waitFor } from '../call.ts';
import { meshToRead } from '../choose-mesh.ts';
import { firstTrouble, showName } from '../conditions.ts';
import { showDuration } from '../duration.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import {
  type Edge,
  isOutside,
  readEdges,
  readObjects,
  readProblems,
  readProxies,
  readStatus,
} from '../mesh.ts';
import { showData } from '../output.ts';
import { groupProblems, showProblem } from '../problems.ts';
import type { Style } from '../style.ts';
import type { Target } from '../target.ts';

type Summary = {
  readonly mesh: Target;
  readonly status: MeshStatus;
  readonly proxies: readonly ProxyEntry[];
  readonly problems: readonly ProblemEntry[];
  /** Objects with an answer that is not yes. */
  readonly troubled: readonly ObjectEntry[];
  /** Absent when the node agent does not answer. */
  readonly traffic: Traffic | undefined;
  readonly window: string;
};
type Traffic = {
  readonly edges: number;
  readonly mtls: number;
  /** Calls that reached nobody: nobody can tell how they would have travelled. */
  readonly unseen: number;
  /** Edges from outside the mesh, which cannot have mTLS. */
  readonly outside: number;
  readonly rps: number;
  readonly successRate: number | null;
};

export async function run(call: Call): Promise<ExitCode> {
  const mesh = await meshToRead(call);
  if (flagOption(call, 'wait')) await waitForSync(call, mesh);
  const summary = await read(call, mesh);
  const { format, io, style } = call;
  if (format === 'json' || format === 'yaml') io.stdout.write(await showData(format, dataOf(summary)));
  else if (format === 'name') io.stdout.write(`${mesh.directory}\n`);
  else io.stdout.write(textOf(summary, style, format === 'wide'));
  return exitCodes.ok;
}

async function waitForSync(call: Call, mesh: Target): Promise<void> {
  const socket = adminSocket(call, mesh);
  let missing = 'the control plane has not answered yet';
  await waitFor(call, {
    timeout: durationOption(call, 'timeout'),
    look: async () => {
      const status = await readStatus(socket).catch(notYet);
      if (status === undefined) return undefined;
      const { proxies } = status;
      missing = `${proxies.inSync} of ${proxies.total} proxies are in sync`;
      return proxies.total > 0 && proxies.inSync === proxies.total ? true : undefined;
    },
    describe: () => missing,
    next: 'weft proxy list',
  });
}

/** A mesh that was started a moment ago has no control plane that answers. */
function notYet(error: unknown): undefined {
  if (error instanceof CommandFailure && error.text.exitCode === exitCodes.unreachable) return undefined;
  throw error;
}

async function read(call: Call, mesh: Target): Promise<Summary> {
  const socket = adminSocket(call, mesh);
  const window = durationOption(call, 'window');
  const [status, proxies, problems, objects, traffic] = await Promise.all([
    readStatus(socket),
    readProxies(socket),
    readProblems(socket),
    readObjects(socket, {}),
    readEdges(agentSocket(call, mesh), window).then(trafficOf, (error: unknown) => {
      // A silent agent is news, not the end of the report.
      if (error instanceof CommandFailure) return undefined;
      throw error;
    }),
  ]);
  return {
    mesh,
    status,
    proxies: proxies.items,
    problems: problems.items,
    troubled: objects.items.filter(({ object }) => firstTrouble(object) !== undefined),
    traffic,
    window: showDuration(window),
  };
}

function trafficOf(edges: readonly Edge[]): Traffic {
  const rps = edges.reduce((sum, edge) => sum + (edge.rps ?? 0), 0);
  const good = edges.reduce((sum, edge) => sum + (edge.rps ?? 0) * (edge.successRate ?? 0), 0);
  return {
    edges: edges.length,
    mtls: edges.filter(({ mtls }) => mtls === true).length,
    outside: edges.filter((edge) => isOutside(edge) && edge.mtls !== true).length,
    unseen: edges.filter((edge) => !isOutside(edge) && edge.mtls === null).length,
    rps,
    successRate: rps === 0 ? null : good / rps,
  };
}

function dataOf({ mesh, status, traffic, problems, troubled, proxies }: Summary): unknown {
  return {
    ...status,
    kind: 'Status',
    directory: mesh.directory,
    ...(traffic && { traffic }),
    outOfSync: proxies.filter(({ inSync }) => !inSync),
    problemList: problems,
    notApplied: troubled.map(({ object, location, applied }) => ({
      kind: object.kind,
      namespace: object.metadata.namespace,
      name: object.metadata.name,
      applied,
      ...(location && { location }),
      conditions: object.status.conditions,
    })),
  };
}

function textOf(summary: Summary, style: Style, wide: boolean): string {
  const { mesh, status, proxies } = summary;
  const line = (name: string, text: string): string => `  ${name.padEnd(14)}${text}`;
  const { controlPlane, objects } = status;
  const versions = [...new Set(proxies.map(({ envoyVersion }) => envoyVersion).filter(Boolean))];
  const late = proxies.filter(({ inSync }) => !inSync);
  const troubles = objects.notAccepted + objects.unresolved + objects.notProgrammed > 0;
  return [
    `${style.paint('bold', `Weft ${controlPlane.version}`)}   ${mesh.directory}`,
    line('Control plane', `${style.mark('ok')} ok, since ${controlPlane.startedAt}, pid ${mesh.pid}`),
    line('Envoy', versions.join(', ') || '-'),
    line('Proxies', proxyCount(status, style)),
    ...(wide ? proxies : late).map((proxy) => `    ${proxyLine(proxy, style)}`),
    ...trafficLines(summary, style).map(([name = '', text = '']) => line(name, text)),
    line(
      'Objects',
      `${style.mark(troubles ? 'warn' : 'ok')} ${objects.total}, ${objects.notAccepted} not accepted, ` +
        `${objects.unresolved} with missing references, ${objects.notProgrammed} not applied everywhere`,
    ),
    ...problemLines(summary.problems, style),
    ...troubledLines(summary.troubled, style),
    '',
  ].join('\n');
}

function proxyCount({ proxies: { total, connected, inSync } }: MeshStatus, style: Style): string {
  const mark = inSync === total ? `${style.mark('ok')} ok` : `${style.mark('warn')} warn`;
  return `${mark}, ${inSync}/${total} in sync, ${connected} connected`;
}

function proxyLine({ workload, connected, pending, rejected, inSync }: ProxyEntry, style: Style): string {
  if (!connected) return `${style.mark('fail')} ${workload} is not connected`;
  const [first] = rejected;
  if (first)
    return `${style.mark('fail')} ${workload} rejected ${first.type} ${first.name}: ${first.message}`;
  return inSync
    ? `${style.mark('ok')} ${workload} in sync`
    : `${style.mark('wait')} ${workload} waits for ${pending}`;
}

function trafficLines({ traffic, window }: Summary, style: Style): readonly (readonly string[])[] {
  if (!traffic) return [['Traffic', `${style.mark('fail')} unknown: the node agent does not answer`]];
  if (traffic.edges === 0) return [['Traffic', `none in the last ${window}`]];
  const inside = traffic.edges - traffic.outside - traffic.unseen;
  const outside = traffic.outside > 0 ? `, ${traffic.outside} from outside` : '';
  const encrypted = `${traffic.mtls}/${inside} edges with mTLS${outside}`;
  const mtls = ['mTLS', `${style.mark(traffic.mtls === inside ? 'ok' : 'warn')} ${encrypted}`];
  if (traffic.successRate === null) return [mtls];
  const rate = `${(100 * traffic.successRate).toFixed(2)} % of ${traffic.rps.toFixed(1)} requests/s`;
  return [
    mtls,
    ['Success', `${style.mark(traffic.successRate >= 0.99 ? 'ok' : 'warn')} ${rate}, last ${window}`],
  ];
}

function problemLines(problems: readonly ProblemEntry[], style: Style): readonly string[] {
  if (problems.length === 0) return [];
  const groups = [...groupProblems(problems)].sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = groups.flatMap(([, group]) => {
    const shown = group.slice(0, 3).flatMap((problem) => showProblem(problem, style));
    const rest = group.length - 3;
    return rest > 0
      ? [...shown, style.hint(`    and ${rest} more ${group[0]?.code}: weft status -o json`)]
      : shown;
  });
  return ['', 'Problems', ...lines.map((text) => `  ${text}`)];
}

function troubledLines(entries: readonly ObjectEntry[], style: Style): readonly string[] {
  if (entries.length === 0) return [];
  const lines = entries.map(({ object, location }) => {
    const trouble = firstTrouble(object);
    const mark = style.mark(trouble?.status === 'False' ? 'fail' : 'wait');
    const where = location ? ` (${location.file}:${location.line})` : '';
    return `  ${mark} ${object.kind} ${showName(object)}${where} ${trouble?.reason}: ${trouble?.message}`;
  });
  return ['', 'Objects that are not well', ...lines];
}
