/** Reads Envoy's `config_dump` and `clusters` into rows. Tolerant: an Envoy may say more or less than is known here. */
import { X509Certificate } from 'node:crypto';
import { asList, asRecord, asText } from './record.ts';

type Fields = Readonly<Record<string, unknown>>;
export type Part = 'clusters' | 'listeners' | 'routes' | 'endpoints' | 'secrets';

export type PartView = {
  /** Envoy's own messages. */
  readonly items: readonly unknown[];
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly names: readonly string[];
};

/** `clusterStatus` is what `clusters?format=json` says; only endpoints need it. */
export function viewPart(part: Part, dump: unknown, clusterStatus: unknown): PartView {
  switch (part) {
    case 'clusters':
      return table(items(dump, 'ClustersConfigDump', 'cluster'), clusterColumns);
    case 'listeners':
      return table(items(dump, 'ListenersConfigDump', 'listener'), listenerColumns);
    case 'routes':
      return routes(items(dump, 'RoutesConfigDump', 'route_config'));
    case 'endpoints':
      return endpoints(clusterStatus);
    case 'secrets':
      return table(items(dump, 'SecretsConfigDump', 'secret'), secretColumns);
    default:
      return part satisfies never;
  }
}

export function bootstrapOf(dump: unknown): unknown {
  return section(dump, 'BootstrapConfigDump').bootstrap ?? {};
}

function section(dump: unknown, type: string): Fields {
  const sections = asList(asRecord(dump).configs).map(asRecord);
  return sections.find((one) => asText(one['@type']).endsWith(`.${type}`)) ?? {};
}

/** Active and static ones, by name. What still warms is left out: it serves nothing yet. */
function items(dump: unknown, type: string, field: string): readonly Fields[] {
  const lists = Object.entries(section(dump, type)).filter(([name]) => !name.includes('warming'));
  const entries = lists.flatMap(([, list]) => asList(list).map(asRecord));
  return entries
    .map((entry) => asRecord(entry[field] ?? asRecord(entry.active_state)[field]))
    .filter(({ name }) => name !== undefined)
    .sort((a, b) => (asText(a.name) < asText(b.name) ? -1 : 1));
}

type Columns = Readonly<Record<string, (item: Fields) => string>>;

function table(found: readonly Fields[], columns: Columns): PartView {
  return {
    items: found,
    header: Object.keys(columns),
    rows: found.map((item) => Object.values(columns).map((cell) => cell(item))),
    names: found.map(({ name }) => asText(name)),
  };
}

const clusterColumns: Columns = {
  NAME: ({ name }) => asText(name),
  TYPE: ({ type }) => asText(type) || 'STATIC',
  'LB POLICY': (cluster) => asText(cluster.lb_policy) || 'ROUND_ROBIN',
  MTLS: (cluster) =>
    asList(cluster.transport_socket_matches).length > 0 ? 'auto' : cluster.transport_socket ? 'yes' : 'no',
  SERVICE: ({ metadata }) =>
    asText(asRecord(asRecord(asRecord(metadata).filter_metadata).weft).service) || '-',
};

const listenerColumns: Columns = {
  NAME: ({ name }) => asText(name),
  ADDRESS: ({ address }) => showAddress(address),
  BOUND: (listener) => (listener.bind_to_port === false ? 'no' : 'yes'),
  CHAINS: (listener) =>
    String(asList(listener.filter_chains).length + (listener.default_filter_chain ? 1 : 0)),
  ROUTES: (listener) => [...new Set(routeNames(listener))].join(', ') || '-',
};

function routeNames(listener: Fields): readonly string[] {
  const chains = [...asList(listener.filter_chains), listener.default_filter_chain];
  return chains
    .flatMap((chain) => asList(asRecord(chain).filters))
    .map((filter) => asRecord(asRecord(filter).typed_config))
    .map(({ rds, cluster }) => asText(asRecord(rds).route_config_name) || asText(cluster))
    .filter((name) => name !== '');
}

const secretColumns: Columns = {
  NAME: ({ name }) => asText(name),
  TYPE: ({ tls_certificate: own }) => (own ? 'certificate' : 'trust bundle'),
  IDENTITY: (secret) => certificateOf(secret)?.subjectAltName?.replace(/^URI:/, '') ?? '-',
  FROM: (secret) => certificateOf(secret)?.validFromDate.toISOString() ?? '-',
  UNTIL: (secret) => certificateOf(secret)?.validToDate.toISOString() ?? '-',
  SERIAL: (secret) => certificateOf(secret)?.serialNumber ?? '-',
};

function certificateOf(secret: Fields): X509Certificate | undefined {
  const chain = asRecord(
    asRecord(secret.tls_certificate).certificate_chain ?? asRecord(secret.validation_context).trusted_ca,
  );
  const pem = asText(chain.inline_string) || Buffer.from(asText(chain.inline_bytes), 'base64').toString();
  return pem.includes('BEGIN CERTIFICATE') ? new X509Certificate(pem) : undefined;
}

function routes(found: readonly Fields[]): PartView {
  const rows = found.flatMap((config) =>
    asList(config.virtual_hosts)
      .map(asRecord)
      .flatMap((host) =>
        asList(host.routes)
          .map(asRecord)
          .map((route) => [
            asText(config.name),
            asList(host.domains).map(asText).join(', '),
            asText(route.name) || '-',
            showMatch(asRecord(route.match)),
            showAction(route),
          ]),
      ),
  );
  const names = found.map(({ name }) => asText(name));
  return { items: found, header: ['CONFIGURATION', 'DOMAINS', 'ROUTE', 'MATCH', 'TO'], rows, names };
}

function showMatch(match: Fields): string {
  const { path, prefix, path_separated_prefix: elements, safe_regex: regex } = match;
  const where =
    asText(path) ||
    (elements === undefined ? '' : `${asText(elements)}/*`) ||
    (regex === undefined ? '' : `~${asText(asRecord(regex).regex)}`) ||
    `${asText(prefix)}*`;
  const headers = asList(match.headers).map((header) => asText(asRecord(header).name));
  const parameters = asList(match.query_parameters).map(
    (parameter) => `?${asText(asRecord(parameter).name)}`,
  );
  return [where, ...headers, ...parameters].join(' ');
}

function showAction(route: Fields): string {
  if (route.redirect) return 'redirect';
  if (route.direct_response) return `answer ${asText(asRecord(route.direct_response).status)}`;
  const { cluster, weighted_clusters: weighted } = asRecord(route.route);
  const shares = asList(asRecord(weighted).clusters).map(asRecord);
  if (shares.length === 0) return asText(cluster) || '-';
  return shares.map((share) => `${asText(share.name)} ${asText(share.weight)}`).join(', ');
}

function endpoints(clusterStatus: unknown): PartView {
  const clusters = asList(asRecord(clusterStatus).cluster_statuses).map(asRecord);
  const rows = clusters.flatMap((cluster) =>
    asList(cluster.host_statuses)
      .map(asRecord)
      .map((host) => [
        asText(cluster.name),
        showAddress(host.address),
        health(asRecord(host.health_status)),
        asText(host.weight) || '-',
      ]),
  );
  return {
    items: clusters,
    header: ['CLUSTER', 'ADDRESS', 'HEALTH', 'WEIGHT'],
    rows,
    names: rows.map(([cluster, address]) => `${cluster} ${address}`),
  };
}

/** The discovered health, and what Envoy found out by itself. */
function health(status: Fields): string {
  const flags = Object.entries(status).filter(([, value]) => value === true);
  return (
    [asText(status.eds_health_status), ...flags.map(([name]) => name)].filter(Boolean).join(', ') || 'HEALTHY'
  );
}

function showAddress(address: unknown): string {
  const { socket_address: socket, pipe } = asRecord(address);
  const { address: host, port_value: port } = asRecord(socket);
  return host === undefined ? asText(asRecord(pipe).path) || '-' : `${asText(host)}:${asText(port)}`;
}
