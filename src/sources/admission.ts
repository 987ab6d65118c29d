import { createHash } from 'node:crypto';
import type { ObjectRef } from '../model/object-ref.ts';
import { checkRules } from './cel-rules.ts';
import { checkDeployment, checkEndpointSlice, checkService, completeService } from './core-rules.ts';
import { withDefaults } from './defaults.ts';
import { type Finding, type Path, showValue } from './finding.ts';
import { type KindLookup, lookUpKind } from './kind-lookup.ts';
import { checkLabels, checkName, checkNamespace } from './object-names.ts';
import { propertyOf, type Schema } from './schema.ts';
import type { DeploymentObject, EndpointSliceObject, ServiceObject } from './specs.ts';
import { checkStructure, isMap } from './structure.ts';
import { type KubeObject, kinds, type ObjectMeta } from './types.ts';

/** What an API server would say to one object. */
export type Admission =
  | {
      readonly is: 'admitted';
      readonly ref: ObjectRef;
      readonly object: KubeObject;
      readonly findings: readonly Finding[];
    }
  /** `ref` is absent when it cannot be told which object was meant. */
  | { readonly is: 'refused'; readonly ref?: ObjectRef; readonly findings: readonly Finding[] }
  /** Not for the mesh; findings are warnings. */
  | { readonly is: 'ignored'; readonly ref?: ObjectRef; readonly findings: readonly Finding[] };

/** Names, structure, defaults, CEL rules and the core kinds' own rules, in this order; pure. */
export function admit(value: unknown): Admission {
  if (!isMap(value)) return refuse(notAnObject(`it is ${showValue(value)}`));
  const { apiVersion, kind } = value;
  if (apiVersion === undefined && kind === undefined) return { is: 'refused', findings: [somethingElse] };
  if (typeof apiVersion !== 'string' || apiVersion === '') return refuse(notAnObject('it has no apiVersion'));
  if (typeof kind !== 'string' || kind === '') return refuse(notAnObject('it has no kind'));
  const lookup = lookUpKind(apiVersion, kind);
  switch (lookup.is) {
    case 'foreign':
      return { is: 'ignored', findings: [] };
    case 'not read':
      return { is: 'ignored', ref: outsiderRef(apiVersion, kind, value), findings: [notRead(lookup)] };
    case 'unknown':
      return refuse(unknownKind(lookup));
    case 'read':
      return admitKind(lookup, value);
    default:
      return lookup satisfies never;
  }
}

type Read = Extract<KindLookup, { is: 'read' }>;
type Fields = Readonly<Record<string, unknown>>;

function admitKind({ kind, apiVersion, schema }: Read, value: Fields): Admission {
  const metadata = isMap(value.metadata) ? value.metadata : {};
  const { name } = metadata;
  if (typeof name !== 'string' || name === '') return refuse(noName(metadata));
  const { group, namespaced } = kinds[kind];
  const namespace = !namespaced ? '' : stringOr(metadata.namespace, 'default');
  const ref: ObjectRef = { group, kind, namespace, name };
  const names = [...checkName(kind, name), ...(namespaced ? checkNamespace(namespace) : [])];
  const structure = checkStructure(schema, value);
  if (names.length + structure.length > 0) return { is: 'refused', ref, findings: [...names, ...structure] };

  const filled = withDefaults(schema, value) as Fields; // a map stays a map
  const object = completed(kubeObject(filled, { ref, apiVersion }));
  const findings = [...checkRules(schema, filled), ...coreFindings(object)];
  const { labels } = object.metadata;
  findings.push(...checkLabels(labels, ['metadata', 'labels']));
  if (findings.length > 0) return { is: 'refused', ref, findings };
  return { is: 'admitted', ref, object, findings: emptyFields(schema, value, []) };
}

function kubeObject(value: Fields, { ref, apiVersion }: { ref: ObjectRef; apiVersion: string }): KubeObject {
  const { apiVersion: _version, kind: _kind, metadata, spec, status, ...rest } = value;
  return {
    apiVersion,
    kind: ref.kind,
    metadata: metaOf(metadata as RawMeta, ref), // its structure was checked
    spec: spec ?? {},
    ...(status === undefined ? {} : { status }),
    rest,
  };
}

type RawMeta = {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly creationTimestamp?: string;
  readonly uid?: string;
  readonly ownerReferences?: readonly {
    readonly kind: string;
    readonly name: string;
    readonly controller?: boolean;
  }[];
};

function metaOf(raw: RawMeta, ref: ObjectRef): ObjectMeta {
  const { labels = {}, annotations = {}, creationTimestamp, uid, ownerReferences = [] } = raw;
  return {
    name: ref.name,
    namespace: ref.namespace,
    labels,
    annotations,
    creationTimestamp: creationTimestamp ? toSecond(creationTimestamp) : '',
    generation: 1,
    uid: uid ?? uidOf(ref),
    ownerReferences: ownerReferences.map(({ kind, name, controller = false }) => ({
      kind,
      name,
      controller,
    })),
  };
}

function toSecond(time: string): string {
  return new Date(Date.parse(time)).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** The same object has the same uid wherever and whenever the directory is read. */
function uidOf({ group, kind, namespace, name }: ObjectRef): string {
  const hex = createHash('sha256').update([group, kind, namespace, name].join('\0')).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

function completed(object: KubeObject): KubeObject {
  // Its kind's schema was checked, so it is what the kind's type says.
  if (object.kind === 'Service') return { ...object, spec: completeService((object as ServiceObject).spec) };
  return object;
}

function coreFindings(object: KubeObject): readonly Finding[] {
  switch (object.kind) {
    // As in `completed`, three times.
    case 'Service':
      return checkService((object as ServiceObject).spec);
    case 'Deployment':
      return checkDeployment((object as DeploymentObject).spec);
    case 'EndpointSlice':
      return checkEndpointSlice((object as EndpointSliceObject).rest);
    default:
      return [];
  }
}

/** A key without a value is dropped, as API servers do; in a policy that may mean more than its author thought. */
function emptyFields(schema: Schema | undefined, value: unknown, path: Path): readonly Finding[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => emptyFields(schema?.items, item, [...path, index]));
  }
  if (!isMap(value)) return [];
  return Object.entries(value).flatMap(([name, item]) => {
    const at: Path = [...path, name];
    const known = schema && propertyOf(schema, name);
    if (item !== null || known?.nullable || name === 'status') return emptyFields(known, item, at);
    const says = 'is empty, which counts as not written';
    return [
      {
        code: 'WEFT-1005',
        severity: 'warning',
        path: at,
        at: 'key',
        says,
        fix: 'give it a value, or remove it',
      },
    ];
  });
}

function refuse(finding: Finding): Admission {
  return { is: 'refused', findings: [finding] };
}

function notAnObject(why: string): Finding {
  const says = `the document is not a Kubernetes object: ${why}`;
  const fix = 'start it with apiVersion, kind and metadata.name, or move the file elsewhere';
  return { code: 'WEFT-1002', path: [], at: 'value', says, fix };
}

/** Directories hold other people's files too: worth a word, but nobody's mistake. */
const somethingElse: Finding = {
  ...notAnObject('it has neither apiVersion nor kind'),
  severity: 'warning',
};

function noName(metadata: Fields): Finding {
  const says = Object.hasOwn(metadata, 'generateName')
    ? 'is required: a directory cannot make names up from generateName'
    : 'is required and must be a string';
  return { code: 'WEFT-1008', path: ['metadata', 'name'], at: 'value', says, fix: 'add name: my-name' };
}

function notRead({ says, fix }: Extract<KindLookup, { is: 'not read' }>): Finding {
  return { code: 'WEFT-1009', severity: 'warning', path: [], at: 'value', says, fix };
}

function unknownKind({ field, says, fix }: Extract<KindLookup, { is: 'unknown' }>): Finding {
  return { code: 'WEFT-1003', path: [field], at: 'value', says, fix };
}

function outsiderRef(apiVersion: string, kind: string, { metadata }: Fields): ObjectRef {
  const { name, namespace } = isMap(metadata) ? metadata : {};
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.lastIndexOf('/')) : '';
  return { group, kind, namespace: stringOr(namespace, 'default'), name: stringOr(name, '') };
}

function stringOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value : otherwise;
}
