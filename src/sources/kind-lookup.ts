import { nearestWord } from '../base/nearest.ts';
import { printable, shorten } from './finding.ts';
import { type Schema, schemaKeys, schemaOf } from './schema.ts';
import { type Kind, kinds } from './types.ts';

/** What an `apiVersion` and a `kind` mean to the mesh. */
export type KindLookup =
  /** A kind it reads; `schema` is that of the version it reads it as. */
  | { readonly is: 'read'; readonly kind: Kind; readonly apiVersion: string; readonly schema: Schema }
  /** One of the mesh APIs, which people expect to have an effect. */
  | { readonly is: 'not read'; readonly says: string; readonly fix: string }
  /** Somebody else's: no word about it. */
  | { readonly is: 'foreign' }
  | {
      readonly is: 'unknown';
      readonly field: 'kind' | 'apiVersion';
      readonly says: string;
      readonly fix: string;
    };

type GroupKind = { readonly group: string; readonly version: string; readonly kind: string };

const known: readonly GroupKind[] = schemaKeys().map((key) => {
  const parts = key.split('/');
  const [kind = '', version = '', group = ''] = parts.reverse();
  return { group, version, kind };
});
const groups: readonly string[] = [...new Set(known.map(({ group }) => group))];

/** Real kinds without a schema of ours, in groups that have some. */
const schemaless: Readonly<Record<string, readonly string[]>> = {
  '': [
    ...['Binding', 'ComponentStatus', 'Endpoints', 'Event', 'LimitRange', 'PersistentVolume'],
    ...['PersistentVolumeClaim', 'PodTemplate', 'ReplicationController', 'ResourceQuota'],
  ],
  apps: ['ReplicaSet', 'ControllerRevision'],
  'coordination.k8s.io': ['LeaseCandidate'],
  'networking.istio.io': ['EnvoyFilter'],
};

export function lookUpKind(apiVersion: string, kind: string): KindLookup {
  const slash = apiVersion.lastIndexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  if (!groups.includes(group)) return outsideGroups(apiVersion, group, kind);
  const inGroup = known.filter((one) => one.group === group);
  const served = inGroup.filter((one) => one.kind === kind);
  const [first] = served;
  if (!first) return noSuchKind(inGroup, { group, version, kind });
  const versions = served.map((one) => one.version).sort();
  if (!versions.includes(version)) return noSuchVersion(first, versions, version);
  const schema = schemaOf(apiVersion, kind);
  if (!isKind(kind) || kinds[kind].group !== group || !schema) return notRead(group, kind);
  return { is: 'read', kind, apiVersion: apiVersionOf(kind), schema };
}

export function isKind(kind: string): kind is Kind {
  return Object.hasOwn(kinds, kind);
}

export function apiVersionOf(kind: Kind): string {
  const { group, version } = kinds[kind];
  return group === '' ? version : `${group}/${version}`;
}

function outsideGroups(apiVersion: string, group: string, kind: string): KindLookup {
  if (isMeshGroup(group)) return notRead(group, kind);
  const meant = group.includes('.') ? nearestWord(group, groups) : undefined;
  // Far-off groups are other people's APIs; one of our kinds in a group that is nearly ours is a slip.
  if (!meant || !known.some((one) => one.group === meant && one.kind === kind)) return { is: 'foreign' };
  const version = known.find((one) => one.group === meant && one.kind === kind)?.version ?? 'v1';
  return {
    is: 'unknown',
    field: 'apiVersion',
    says: `${show(apiVersion)} is no API that has a ${kind}; did you mean ${meant}?`,
    fix: `write apiVersion: ${meant}/${isKind(kind) ? kinds[kind].version : version}`,
  };
}

function noSuchKind(inGroup: readonly GroupKind[], { group, version, kind }: GroupKind): KindLookup {
  if (schemaless[group]?.includes(kind)) return notRead(group, kind);
  const api = group === '' ? version : `${group}/${version}`;
  if (isKind(kind)) {
    const right = apiVersionOf(kind);
    const says = `${show(api)} has no ${kind}; it is part of ${right}`;
    return { is: 'unknown', field: 'apiVersion', says, fix: `write apiVersion: ${right}` };
  }
  const meant = nearestWord(kind, new Set([...inGroup.map((one) => one.kind), ...(schemaless[group] ?? [])]));
  const says = `${show(api)} has no kind ${show(kind)}${meant ? `; did you mean ${meant}?` : ''}`;
  return {
    is: 'unknown',
    field: 'kind',
    says,
    fix: meant ? `write kind: ${meant}` : 'write a kind of this API',
  };
}

function noSuchVersion(
  { group, kind, version: other }: GroupKind,
  versions: readonly string[],
  version: string,
): KindLookup {
  const best = isKind(kind) ? kinds[kind].version : other;
  return {
    is: 'unknown',
    field: 'apiVersion',
    says: `${kind} has no version ${show(version)}; it has ${versions.join(', ')}`,
    fix: `write apiVersion: ${group === '' ? best : `${group}/${best}`}`,
  };
}

function notRead(group: string, kind: string): KindLookup {
  if (!isMeshGroup(group)) return { is: 'foreign' };
  return {
    is: 'not read',
    says: `Weft does not read ${kind} (${group}), so it has no effect`,
    fix: `remove it, or say the same with ${Object.keys(kinds).slice(6).join(', ')}`,
  };
}

function isMeshGroup(group: string): boolean {
  return /(^|\.)(istio\.io|gateway\.networking\.(x-)?k8s\.io)$/.test(group);
}

function show(text: string): string {
  return shorten(printable(text));
}
