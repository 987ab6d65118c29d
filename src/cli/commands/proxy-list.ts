import type { ProxyEntry } from '../../admin/types.ts';
import { adminSocket, type Call, namespaceOption } from '../call.ts';
import { meshToRead } from '../choose-mesh.ts';
import { showDuration } from '../duration.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { readProxies } from '../mesh.ts';
import { print } from '../output.ts';

export async function run(call: Call): Promise<ExitCode> {
  const mesh = await meshToRead(call);
  const list = await readProxies(adminSocket(call, mesh));
  const namespace = namespaceOption(call);
  const items = list.items.filter(
    ({ workload }) => namespace === undefined || workload.startsWith(`${namespace}/`),
  );
  await print(call.io, call.format, {
    data: { ...list, items },
    header: ['WORKLOAD', 'SYNC', 'RESOURCES', 'ENVOY', 'CERTIFICATE', 'SINCE', 'REJECTED'],
    narrow: 5,
    rows: items.map((proxy) => cells(call, proxy)),
    names: items.map(({ workload }) => workload),
    empty: 'no proxies; a Deployment with the annotation weft.dev/run gets one for each replica',
  });
  return exitCodes.ok;
}

function cells({ style }: Call, proxy: ProxyEntry): string[] {
  const [rejected] = proxy.rejected;
  return [
    proxy.workload,
    syncOf(proxy, style.mark),
    String(proxy.wanted),
    proxy.envoyVersion || '-',
    proxy.certificateExpires ? untilOf(proxy.certificateExpires) : '-',
    proxy.since,
    rejected ? `${rejected.type} ${rejected.name}: ${rejected.message}` : '',
  ];
}

function syncOf(proxy: ProxyEntry, mark: Call['style']['mark']): string {
  if (!proxy.connected) return `${mark('fail')} not connected`;
  if (proxy.rejected.length > 0) return `${mark('fail')} rejected ${proxy.rejected.length}`;
  return proxy.inSync ? `${mark('ok')} in sync` : `${mark('wait')} waiting for ${proxy.pending}`;
}

function untilOf(expires: string): string {
  const left = Date.parse(expires) - Date.now();
  return left > 0 ? `for ${showDuration(left)}` : 'expired';
}
