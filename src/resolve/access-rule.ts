import type {
  AccessCondition,
  AccessKey,
  AccessOperation,
  AccessRule,
  AccessSource,
} from '../model/access.ts';
import type {
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationRule,
  AuthorizationSource,
} from '../sources/specs-istio.ts';
import * as pattern from './access-pattern.ts';
import { failsClosed } from './access-pattern.ts';
import type { Report } from './problems.ts';

/** Matches everything. */
export const anyone: AccessRule = { from: [], to: [], when: [] };

export type Reading = { readonly report: Report; readonly field: string; readonly namespace: string };

/** The rule, or `undefined` when any part of it is not understood: half a rule is another rule. */
export function readAccessRule(rule: AuthorizationRule, reading: Reading): AccessRule | undefined {
  const { field, report } = reading;
  const from = (rule.from ?? []).map(({ source = {} }, i) =>
    readSource(source, { ...reading, field: `${field}.from[${i}].source` }),
  );
  const to = (rule.to ?? []).map(({ operation = {} }, i) =>
    readOperation(operation, { ...reading, field: `${field}.to[${i}].operation` }),
  );
  const when = (rule.when ?? []).map((condition, i) =>
    readCondition(condition, { ...reading, field: `${field}.when[${i}]` }),
  );
  const said = [checkSaid(rule.from, `${field}.from`, report), checkSaid(rule.to, `${field}.to`, report)];
  if (said.includes(false) || !allRead(from) || !allRead(to) || !allRead(when)) return undefined;
  return { from, to, when };
}

/** An empty list or source would match everybody, which is said by leaving it out. */
function checkSaid(list: readonly object[] | undefined, field: string, report: Report): boolean {
  const empty = list && (list.length === 0 || list.some(saysNothing));
  if (empty) reportEmpty(report, field);
  return !empty;
}

/** No values at any depth. */
function saysNothing(part: unknown): boolean {
  return typeof part === 'object' && part !== null && Object.values(part).every(saysNothing);
}

function reportEmpty(report: Report, field: string): void {
  report.error('WEFT-1212', {
    field,
    message: `it says nothing; the rule ${failsClosed}`,
    fix: 'name at least one value, or leave the field out to mean everybody',
  });
}

function allRead<T>(parts: readonly (T | undefined)[]): parts is readonly T[] {
  return !parts.includes(undefined);
}

const unsupportedSources = [
  'requestPrincipals',
  'notRequestPrincipals',
  'remoteIpBlocks',
  'notRemoteIpBlocks',
  'trustDomains',
  'notTrustDomains',
] as const;

function readSource(source: AuthorizationSource, reading: Reading): AccessSource | undefined {
  const { report, field, namespace } = reading;
  const refused = unsupportedSources.filter((name) => source[name] !== undefined);
  for (const name of refused) reportUnsupported(report, `${field}.${name}`, name);
  const list = (name: keyof AuthorizationSource, read: pattern.Read) =>
    pattern.readAll(source[name] ?? [], read, { report, field: `${field}.${name}` });
  const account = pattern.serviceAccount(namespace);
  const read = {
    principals: list('principals', pattern.principal),
    notPrincipals: list('notPrincipals', pattern.principal),
    namespaces: list('namespaces', pattern.text),
    notNamespaces: list('notNamespaces', pattern.text),
    serviceAccounts: list('serviceAccounts', account),
    notServiceAccounts: list('notServiceAccounts', account),
    ipBlocks: list('ipBlocks', pattern.addressBlock),
    notIpBlocks: list('notIpBlocks', pattern.addressBlock),
  };
  return refused.length > 0 ? undefined : complete(read);
}

function readOperation(operation: AuthorizationOperation, reading: Reading): AccessOperation | undefined {
  const { report, field } = reading;
  const list = (name: keyof AuthorizationOperation, read: pattern.Read) =>
    pattern.readAll(operation[name] ?? [], read, { report, field: `${field}.${name}` });
  const texts = complete({
    hosts: list('hosts', pattern.text),
    notHosts: list('notHosts', pattern.text),
    methods: list('methods', pattern.text),
    notMethods: list('notMethods', pattern.text),
    paths: list('paths', pattern.path),
    notPaths: list('notPaths', pattern.path),
    ports: list('ports', pattern.port),
    notPorts: list('notPorts', pattern.port),
  });
  return texts && { ...texts, ports: texts.ports.map(Number), notPorts: texts.notPorts.map(Number) };
}

type Lists<K extends string, T> = Readonly<Record<K, T>>;

/** The same fields, once none of them is missing. */
function complete<K extends string>(
  lists: Lists<K, readonly string[] | undefined>,
): Lists<K, readonly string[]> | undefined {
  // Without an `undefined` among its values the type is the narrower one.
  return Object.values(lists).includes(undefined) ? undefined : (lists as Lists<K, readonly string[]>);
}

type ReadKey = { readonly key: AccessKey; readonly read: pattern.Read };

function readKey(name: string, namespace: string): ReadKey | undefined {
  const header = /^request\.headers\[([^\]]+)\]$/.exec(name)?.[1];
  if (header !== undefined)
    return { key: { kind: 'request-header', name: header.toLowerCase() }, read: pattern.text };
  const keys: Readonly<Record<string, ReadKey>> = {
    'source.ip': { key: { kind: 'source-ip' }, read: pattern.addressBlock },
    'source.namespace': { key: { kind: 'source-namespace' }, read: pattern.text },
    'source.principal': { key: { kind: 'source-principal' }, read: pattern.principal },
    'source.serviceAccount': {
      key: { kind: 'source-service-account' },
      read: pattern.serviceAccount(namespace),
    },
    'destination.ip': { key: { kind: 'destination-ip' }, read: pattern.addressBlock },
    'destination.port': { key: { kind: 'destination-port' }, read: pattern.port },
    'connection.sni': { key: { kind: 'connection-sni' }, read: pattern.text },
  };
  return Object.hasOwn(keys, name) ? keys[name] : undefined;
}

function readCondition(condition: AuthorizationCondition, reading: Reading): AccessCondition | undefined {
  const { report, field, namespace } = reading;
  const found = readKey(condition.key, namespace);
  if (!found) {
    reportUnsupported(report, `${field}.key`, condition.key);
    return undefined;
  }
  if (!condition.values?.length && !condition.notValues?.length) {
    reportEmpty(report, field);
    return undefined;
  }
  const { key, read } = found;
  const values = pattern.readAll(condition.values ?? [], read, { report, field: `${field}.values` });
  const notValues = pattern.readAll(condition.notValues ?? [], read, { report, field: `${field}.notValues` });
  return values && notValues && { key, values, notValues };
}

function reportUnsupported(report: Report, field: string, name: string): void {
  report.error('WEFT-1101', {
    field,
    message: `\`${name}\` is not supported yet; the rule ${failsClosed}`,
    fix: 'remove the condition, or write the rule with principals, namespaces, serviceAccounts, ipBlocks and request.headers[…]',
  });
}

const httpFields = ['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths'] as const;

/** Does it ask for what only a request has? On a port of TCP that cannot be seen. */
export function needsHttp({ to, when }: AccessRule): boolean {
  const asking = to.some((operation) => httpFields.some((name) => operation[name].length > 0));
  return asking || when.some(({ key }) => key.kind === 'request-header');
}
