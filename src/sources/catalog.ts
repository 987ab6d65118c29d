import { deepEqual } from '../base/content.ts';
import { sortedBy } from '../base/sorted.ts';
import { showRef } from '../model/object-ref.ts';
import { type AddressRange, type Allocation, allocateAddresses } from './cluster-ips.ts';
import { type FileForm, type FileObject, locateField } from './object-file.ts';
import type { ServiceObject } from './specs.ts';
import type { KubeObject, LocatedProblem, SourceEvent } from './types.ts';

/**
 * Many files as one cluster. Which of several definitions counts, which last good forms stay live, the addresses of
 * Services and the generations of objects are decided here, from the files' forms alone.
 */
export type Catalog = {
  /** By path. */
  readonly forms: ReadonlyMap<string, FileForm>;
  /** By key: what the mesh runs on. */
  readonly live: ReadonlyMap<string, LiveObject>;
  readonly problems: readonly LocatedProblem[];
};

export type LiveObject = {
  readonly source: FileObject;
  /** As it went out: with its ClusterIP and generation. */
  readonly object: KubeObject;
};

export const emptyCatalog: Catalog = { forms: new Map(), live: new Map(), problems: [] };

/** The same files always give the same live objects, problems and addresses, but for generations and last good forms. */
export function catalogOf(
  forms: ReadonlyMap<string, FileForm>,
  before: Catalog,
  range: AddressRange,
): Catalog {
  const inOrder = sortedBy(forms.values(), ({ file }) => file);
  const { good, repeats } = firstDefinitions(inOrder);
  const kept = lastGoodForms(inOrder, good, before);
  const sources = new Map([...good, ...kept]);
  const addresses = allocateAddresses(claims(sources), range);
  const live = new Map(
    [...sources].map(([key, source]) => {
      return [key, liveObject(source, before.live.get(key), addresses.get(addressKey(source)))];
    }),
  );
  const problems = [
    ...inOrder.flatMap((form) => form.problems.map((problem) => withComfort(problem, form, kept))),
    ...repeats,
    ...addressProblems(sources, addresses),
  ];
  return { forms, live, problems };
}

/** What happened between two catalogs, as one batch. */
export function eventsBetween(before: Catalog, after: Catalog): readonly SourceEvent[] {
  const applied = [...after.live].filter(([key, { object }]) => before.live.get(key)?.object !== object);
  const deleted = [...before.live].filter(([key]) => !after.live.has(key));
  return [
    ...applied.map(([, { object }]): SourceEvent => ({ kind: 'applied', object })),
    ...deleted.map(([, { source }]): SourceEvent => ({ kind: 'deleted', ref: source.ref })),
    ...(deepEqual(before.problems, after.problems)
      ? []
      : [{ kind: 'problems' as const, problems: after.problems }]),
  ];
}

type Sources = ReadonlyMap<string, FileObject>;

function firstDefinitions(forms: readonly FileForm[]): {
  readonly good: Sources;
  readonly repeats: readonly LocatedProblem[];
} {
  const good = new Map<string, FileObject>();
  const repeats: LocatedProblem[] = [];
  for (const object of forms.flatMap(({ objects }) => objects)) {
    const first = good.get(object.key);
    if (first) repeats.push(definedTwice(object, first));
    else good.set(object.key, object);
  }
  return { good, repeats };
}

function definedTwice({ ref, location }: FileObject, first: FileObject): LocatedProblem {
  const here = `${location.file}:${location.line}`;
  const there = `${first.location.file}:${first.location.line}`;
  return {
    code: 'WEFT-1006',
    severity: 'error',
    reason: 'Invalid',
    message: `${showRef(ref)}: is defined twice, at ${there} and at ${here}; the first, by file path, is used`,
    fix: `remove one of the two`,
    ref,
    field: '',
    location,
  };
}

/**
 * A mistake never takes away what runs: an object stays as it was while some file holds it in a form that cannot be
 * used, or while the file it came from cannot be read to the end. A good definition anywhere ends that.
 */
function lastGoodForms(forms: readonly FileForm[], good: Sources, before: Catalog): Sources {
  const broken = new Set(forms.flatMap((form) => form.broken));
  const uncertain = forms.filter((form) => form.uncertain);
  const homes = new Map(uncertain.map(({ file }) => [file, file]));
  for (const { file, text } of uncertain) {
    // A broken file that was renamed keeps what it kept.
    for (const old of before.forms.values()) {
      if (text !== '' && old.text === text && !homes.has(old.file)) homes.set(old.file, file);
    }
  }
  return new Map(
    [...before.live].flatMap(([key, { source }]) => {
      const file = homes.get(source.location.file);
      if (good.has(key) || !(broken.has(key) || file)) return [];
      return [[key, file ? { ...source, location: { ...source.location, file } } : source]];
    }),
  );
}

function withComfort(problem: LocatedProblem, form: FileForm, kept: Sources): LocatedProblem {
  const { ref } = problem;
  const whole = ref.kind === 'File';
  const helped = [...kept.values()].some(
    (object) =>
      (whole && form.uncertain && object.location.file === form.file) ||
      (form.broken.includes(object.key) && deepEqual(object.ref, ref)),
  );
  if (!helped || problem.severity === 'warning') return problem;
  return {
    ...problem,
    message: `${problem.message}; the last good form${whole ? ' of its objects' : ''} stays live`,
  };
}

function claims(sources: Sources): readonly { readonly key: string; readonly wanted: string }[] {
  return [...sources.values()].flatMap((source) => {
    const spec = serviceSpec(source.object);
    if (!spec || spec.type === 'ExternalName' || spec.clusterIP === 'None') return [];
    return [{ key: addressKey(source), wanted: spec.clusterIP ?? '' }];
  });
}

function addressKey({ ref }: FileObject): string {
  return `${ref.namespace}/${ref.name}`;
}

function serviceSpec(object: KubeObject): ServiceObject['spec'] | undefined {
  // Its schema was checked, so a Service is what the type says.
  return object.kind === 'Service' ? (object as ServiceObject).spec : undefined;
}

function liveObject(
  source: FileObject,
  before: LiveObject | undefined,
  allocation: Allocation | undefined,
): LiveObject {
  const address = (object: KubeObject): string => serviceSpec(object)?.clusterIP ?? '';
  if (before?.source === source && (!allocation || address(before.object) === allocation.address))
    return before;
  const addressed = withAddress(source.object, allocation);
  const generation = before ? nextGeneration(before.object, addressed) : 1;
  const object = { ...addressed, metadata: { ...addressed.metadata, generation } };
  // Unchanged content keeps its reference, which is how changes are told.
  return { source, object: before && deepEqual(before.object, object) ? before.object : object };
}

function withAddress(object: KubeObject, allocation: Allocation | undefined): KubeObject {
  const spec = serviceSpec(object);
  if (!spec || !allocation || allocation.address === '') return object;
  return { ...object, spec: { ...spec, clusterIP: allocation.address, clusterIPs: [allocation.address] } };
}

function nextGeneration(before: KubeObject, after: KubeObject): number {
  const same = deepEqual(before.spec, after.spec) && deepEqual(before.rest, after.rest);
  return before.metadata.generation + (same ? 0 : 1);
}

const noClaim: Allocation = { address: 'none' };

function addressProblems(
  sources: Sources,
  addresses: ReadonlyMap<string, Allocation>,
): readonly LocatedProblem[] {
  return [...sources.values()].flatMap((source): LocatedProblem[] => {
    const { address, refused } = (serviceSpec(source.object) && addresses.get(addressKey(source))) ?? noClaim;
    if (refused === undefined && address !== '') return [];
    const wanted = serviceSpec(source.object)?.clusterIP ?? '';
    const got = address === '' ? 'no address of the service range is left' : `it gets ${address} instead`;
    const why = refused === undefined ? '' : `${wanted} ${refused}; `;
    return [
      {
        code: 'WEFT-1005',
        severity: address === '' ? 'error' : 'warning',
        reason: 'Invalid',
        message: `${showRef(source.ref)}: spec.clusterIP ${why}${got}`,
        fix: address === '' ? 'remove Services, or choose a wider range' : 'leave clusterIP out',
        ref: source.ref,
        field: 'spec.clusterIP',
        location: locateField(source, 'spec.clusterIP'),
      },
    ];
  });
}
