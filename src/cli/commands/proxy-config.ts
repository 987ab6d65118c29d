import { agentSocket, type Call } from '../call.ts';
import { meshToRead } from '../choose-mesh.ts';
import { bootstrapOf, type Part, viewPart } from '../envoy-dump.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { print, showData } from '../output.ts';
import { askJson } from '../request.ts';
import { findWorkload } from '../workloads.ts';

/** Shows what the Envoy itself says, not what it was sent. */
export async function run(call: Call): Promise<ExitCode> {
  const [part = '', word = ''] = call.args;
  const mesh = await meshToRead(call);
  const workload = await findWorkload(call, mesh, word);
  const ask = (path: string): Promise<unknown> =>
    askJson({
      ...agentSocket(call, mesh),
      path: `/workloads/${workload.split('/').map(encodeURIComponent).join('/')}/envoy/${path}`,
      who: 'node agent',
    });
  const dump = part === 'endpoints' ? undefined : await ask('config_dump?include_eds');
  if (part === 'all' || part === 'bootstrap') {
    const data = part === 'all' ? dump : bootstrapOf(dump);
    // There is no table of everything: people get YAML.
    call.io.stdout.write(await showData(call.format === 'json' ? 'json' : 'yaml', data));
    return exitCodes.ok;
  }
  const status = part === 'endpoints' ? await ask('clusters?format=json') : undefined;
  // The command table offers these five and the two above, and refuses all else.
  const view = viewPart(part as Part, dump, status);
  await print(call.io, call.format, {
    ...view,
    data: { apiVersion: 'weft.dev/v1alpha1', kind: 'ProxyConfig', workload, part, items: view.items },
    narrow: part === 'secrets' ? 5 : view.header.length,
    empty: `${workload} has no ${part}`,
  });
  return exitCodes.ok;
}
