import { Document, isCollection, visit } from 'yaml';
import { deepEqual } from '../../base/content.ts';
import type { Mesh } from '../../model/mesh.ts';
import type { ObjectRef, Origin } from '../../model/object-ref.ts';
import { showRef } from '../../model/object-ref.ts';
import type { Problem } from '../../model/problem.ts';
import { defaultRetry, noHeaders } from '../../model/traffic.ts';
import type { Resolved } from '../resolve.ts';

/**
 * What a golden shows: the parts that its input asks for (`# show: routes web campus/ledger:8080`), and all problems.
 * Written short: what is empty is left out, references are one word, and Weft's default retry is `default`.
 */
export function show({ mesh, problems }: Resolved, wanted: readonly string[]): string {
  const parts = Object.fromEntries(wanted.map((words) => [words, shorten(find(mesh, words.split(' ')))]));
  const document = new Document({ ...parts, problems: problems.map(showProblem) });
  visit(document, (_, node) => {
    if (isCollection(node) && JSON.stringify(node.toJS(document)).length < 95) node.flow = true;
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

function find(mesh: Mesh, [part = '', a = '', b = '']: readonly string[]): unknown {
  const byText: { readonly [key: string]: () => unknown } = {
    service: () => get(mesh.services, a),
    workload: () => get(mesh.workloads, a),
    endpoints: () => get(mesh.endpoints, a),
    inbound: () => get(mesh.inbound, a),
    services: () => get(mesh.clients, a).services.map(({ service }) => service.key),
    routes: () => portView(mesh, a, b).routes,
    protocol: () => portView(mesh, a, b).port.protocol,
    destinations: () => portView(mesh, a, b).destinations,
  };
  const show = byText[part];
  if (!show) throw new Error(`# show: ${part} is not a part`);
  return show();
}

function get<V>(map: ReadonlyMap<string, V>, key: string): V {
  const value = map.get(key);
  if (value === undefined) throw new Error(`${key} is not there; there are ${[...map.keys()].join(', ')}`);
  return value;
}

function portView(mesh: Mesh, client: string, servicePort: string) {
  const found = get(mesh.clients, client).services.flatMap(({ service, ports }) =>
    ports.filter(({ port }) => `${service.key}:${port.number}` === servicePort),
  );
  if (!found[0]) throw new Error(`${client} does not see ${servicePort}`);
  return found[0];
}

function showProblem({ code, severity, reason, ref, field, message, fix }: Problem): unknown {
  return { [`${code} ${severity} ${reason}`]: `${showRef(ref)} ${field}`.trim(), message, fix };
}

type Fields = Readonly<Record<string, unknown>>;

function shorten(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(shorten);
  if (deepEqual(value, defaultRetry)) return 'default';
  if (isRef(value)) return showRef(value);
  const fields = { ...value } as Fields;
  if ('ref' in value) return showOrigin(value as Origin);
  if ('subset' in fields && 'service' in fields)
    return `${fields['service']}:${fields['port']} ${fields['subset']}`.trim();
  if ('ignoreCase' in fields)
    return `${fields['kind']} ${fields['value']}${fields['ignoreCase'] ? ' (any case)' : ''}`;
  const { kind, name, match, ...rest } = fields;
  const plain = kind === 'destination' ? rest : { kind, name, match, ...rest };
  const entries = Object.entries(plain).filter(([, part]) => !isEmpty(part));
  return Object.fromEntries(entries.map(([field, part]) => [field, shorten(part)]));
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined ||
    (Array.isArray(value) && value.length === 0) ||
    deepEqual(value, noHeaders) ||
    deepEqual(value, {})
  );
}

function isRef(value: object): value is ObjectRef {
  return Object.keys(value).sort().join() === 'group,kind,name,namespace';
}

function showOrigin({ ref, field }: Origin): string {
  return `${showRef(ref)} ${field}`.trim();
}
