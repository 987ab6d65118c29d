import type { AccessLog } from '../../gen/envoy/config/accesslog/v3/accesslog_pb.ts';
import type { InboundPort } from '../model/access.ts';
import type { MeshSettings } from '../model/mesh.ts';
import { httpAccessLog, type Reporter, tcpAccessLog } from './access-log.ts';
import { fixedClusters } from './names.ts';
import { httpStats, tcpStats } from './stats-log.ts';
import { destinationTags, type Self, type StatTag, sourceTags, unmatchedTags } from './stats-tags.ts';

/** What a filter chain writes about its requests or connections: metrics always, lines when the mesh wants them. */
export type Logs = { readonly http: readonly AccessLog[]; readonly tcp: readonly AccessLog[] };

/** Made once for a workload: the part about the server is read from the cluster and endpoint that a call chose. */
export type OutboundLogs = Logs & { readonly passthrough: Logs['tcp']; readonly blackHole: Logs['tcp'] };

export function outboundLogs(settings: MeshSettings, self: Self): OutboundLogs {
  return {
    ...logs(settings, 'source', sourceTags(self)),
    passthrough: logs(settings, 'source', unmatchedTags(self, fixedClusters.passthrough)).tcp,
    blackHole: logs(settings, 'source', unmatchedTags(self, fixedClusters.blackHole)).tcp,
  };
}

/** `port` is undefined for ports that nothing declares. */
export function inboundLogs(
  settings: MeshSettings,
  self: Self,
  on: { readonly port: InboundPort | undefined; readonly peer: 'mtls' | 'plaintext' },
): Logs {
  return logs(settings, 'destination', destinationTags(self, on.port, on.peer));
}

function logs(settings: MeshSettings, reporter: Reporter, tags: readonly StatTag[]): Logs {
  return {
    http: [...(settings.accessLog ? [httpAccessLog(reporter)] : []), ...httpStats(tags)],
    tcp: [...(settings.accessLog ? [tcpAccessLog(reporter)] : []), ...tcpStats(tags)],
  };
}
