import type { InboundPort } from '../model/access.ts';
import type { Workload } from '../model/service.ts';
import { peerKey } from './peer-metadata.ts';

/** One label of a metric: a constant, or one of Envoy's format strings. */
export type StatTag = { readonly name: string; readonly valueFormat: string };

/** What every metric says of the workload that the proxy stands beside. Proxies with equal labels share listeners. */
export type Self = {
  readonly workload: string;
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  readonly principal: string;
};

export function selfOf(workload: Workload): Self {
  return {
    workload: workload.name,
    namespace: workload.namespace,
    app: workload.app,
    version: workload.version,
    principal: workload.identity,
  };
}

type ServiceLabels = { readonly host: string; readonly name: string; readonly namespace: string };

/** From the caller's side; the server's part comes from the chosen cluster and endpoint. */
export function sourceTags(self: Self): readonly StatTag[] {
  const endpoint = (key: string): string => `%METADATA(UPSTREAM_HOST:weft:${key})%`;
  const cluster = (key: string): string => `%METADATA(CLUSTER:weft:${key})%`;
  return [
    tag('reporter', 'source'),
    ...party('source', constants(self)),
    ...party('destination', {
      workload: endpoint('workload'),
      namespace: endpoint('namespace'),
      app: endpoint('app'),
      version: endpoint('version'),
      principal: '%UPSTREAM_PEER_URI_SAN%',
    }),
    ...service({
      host: cluster('service'),
      name: cluster('service_name'),
      namespace: cluster('service_namespace'),
    }),
    tag('connection_security_policy', 'unknown'),
  ];
}

/** From the caller's side, to somewhere that is no service of the mesh. */
export function unmatchedTags(self: Self, clusterName: string): readonly StatTag[] {
  return [
    tag('reporter', 'source'),
    ...party('source', constants(self)),
    ...party('destination', unknownParty),
    ...service({ host: 'unknown', name: clusterName, namespace: 'unknown' }),
    tag('connection_security_policy', 'unknown'),
  ];
}

/** From the server's side. Who calls is what the certificate attests; a plaintext caller is nobody. */
export function destinationTags(
  self: Self,
  port: InboundPort | undefined,
  peer: 'mtls' | 'plaintext',
): readonly StatTag[] {
  const attested = (key: string): string => `%FILTER_STATE(${peerKey(key)}:PLAIN)%`;
  const caller = {
    workload: attested('workload'),
    namespace: attested('namespace'),
    app: attested('app'),
    version: attested('version'),
    principal: '%DOWNSTREAM_PEER_URI_SAN%',
  };
  return [
    tag('reporter', 'destination'),
    ...party('source', peer === 'mtls' ? caller : unknownParty),
    ...party('destination', constants(self)),
    ...service({
      host: port?.serviceHost || 'unknown',
      name: port?.serviceName || 'unknown',
      namespace: port?.serviceNamespace || 'unknown',
    }),
    tag('connection_security_policy', peer === 'mtls' ? 'mutual_tls' : 'none'),
  ];
}

const unknownParty: Self = {
  workload: 'unknown',
  namespace: 'unknown',
  app: 'unknown',
  version: 'unknown',
  principal: 'unknown',
};

/** A constant is a format string too: a lone `%` would be read as an operator. */
function constants(self: Self): Self {
  const literal = (text: string): string => text.replaceAll('%', '%%');
  return {
    workload: literal(self.workload),
    namespace: literal(self.namespace),
    app: literal(self.app),
    version: literal(self.version),
    principal: literal(self.principal),
  };
}

function party(side: 'source' | 'destination', is: Self): readonly StatTag[] {
  return [
    tag(`${side}_workload`, is.workload),
    tag(`${side}_workload_namespace`, is.namespace),
    tag(`${side}_principal`, is.principal),
    tag(`${side}_app`, is.app),
    tag(`${side}_version`, is.version),
    tag(`${side}_canonical_service`, is.app),
    tag(`${side}_canonical_revision`, is.version),
    tag(`${side}_cluster`, 'Kubernetes'),
  ];
}

function service(labels: ServiceLabels): readonly StatTag[] {
  return [
    tag('destination_service', labels.host),
    tag('destination_service_name', labels.name),
    tag('destination_service_namespace', labels.namespace),
  ];
}

function tag(name: string, valueFormat: string): StatTag {
  return { name, valueFormat };
}
