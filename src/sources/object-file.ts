import { type ObjectRef, refKey, showRef } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import { type Admission, admit } from './admission.ts';
import { type Finding, type Path, printable, shorten, showPath } from './finding.ts';
import { isMap } from './structure.ts';
import type { KubeObject, LocatedProblem, Location } from './types.ts';
import { parseYaml, type YamlDocument } from './yaml-documents.ts';

/** An object, and where it stands. */
export type LocatedObject = { readonly object: KubeObject; readonly location: Location };

/** An object of a file, with what it takes to find a field of it again: its text, document, and place in a list. */
export type FileObject = LocatedObject & {
  readonly ref: ObjectRef;
  readonly key: string;
  readonly text: string;
  readonly document: number;
  readonly path: Path;
};

/** What one text holds. */
export type FileForm = {
  readonly file: string;
  readonly text: string;
  readonly objects: readonly FileObject[];
  readonly problems: readonly LocatedProblem[];
  /** Keys of objects that are written here, but not so that they can be used. */
  readonly broken: readonly string[];
  /** Some part does not even say which object it is: any object may be written here. */
  readonly uncertain: boolean;
  /** Reading failed in a way that may pass while the file stays the same: it is to be read again. */
  readonly again?: true;
};

/** Everything that a file's text says, and everything that is wrong with it. Pure; never throws. */
export function readObjects(text: string, file: string): FileForm {
  const { documents, failures } = parseYaml(text);
  const parts = documents.flatMap((document, index) => {
    // JSON that is no object at all is some tool's settings.
    if (file.endsWith('.json') && isMap(document.value) && !Object.hasOwn(document.value, 'kind')) return [];
    return expandLists(document.value, []).map((part) => readPart({ ...part, document, index, text, file }));
  });
  const failed = failures.map((failure) => fileProblem({ ...failure, file, code: 'WEFT-1001' }));
  return {
    file,
    text,
    objects: parts.flatMap(({ object }) => object ?? []),
    problems: [...failed, ...parts.flatMap(({ problems }) => problems)],
    broken: parts.flatMap(({ broken }) => broken ?? []),
    uncertain: failures.length > 0 || parts.some(({ uncertain }) => uncertain),
  };
}

/** A file that could not be read at all. */
export function unreadFile(
  file: string,
  why: { readonly code?: 'WEFT-1001'; readonly says: string; readonly fix: string; readonly line?: number },
): FileForm {
  const problem = fileProblem({ file, code: 'WEFT-1007', line: 1, column: 1, ...why });
  return { file, text: '', objects: [], problems: [problem], broken: [], uncertain: true };
}

/** A file that was there a moment ago: its objects stay until it is surely gone, or until they turn up elsewhere. */
export function vanishedFile({ file, text }: FileForm): FileForm {
  return { file, text, objects: [], problems: [], broken: [], uncertain: true };
}

type Part = { readonly value: unknown; readonly path: Path };

/** `kind: List`, and lists of one kind as `kubectl get` writes them, count as their items. */
function expandLists(value: unknown, path: Path): readonly Part[] {
  if (!isMap(value) || typeof value.kind !== 'string') return [{ value, path }];
  const { apiVersion, kind, items } = value;
  if (!kind.endsWith('List') || !Array.isArray(items)) return [{ value, path }];
  const ofOneKind = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -'List'.length) };
  return items.flatMap((item, index) =>
    expandLists(isMap(item) ? { ...ofOneKind, ...item } : item, [...path, 'items', index]),
  );
}

type Written = Part & {
  readonly document: YamlDocument;
  readonly index: number;
  readonly text: string;
  readonly file: string;
};
type ReadPart = {
  readonly object?: FileObject;
  readonly problems: readonly LocatedProblem[];
  readonly broken?: string;
  readonly uncertain: boolean;
};

function readPart(written: Written): ReadPart {
  const admission = admit(written.value);
  const problems = admission.findings.map((finding) => objectProblem(finding, admission.ref, written));
  switch (admission.is) {
    case 'ignored':
      return { problems, uncertain: false };
    case 'refused':
      return admission.ref
        ? { problems, broken: refKey(admission.ref), uncertain: false }
        : { problems, uncertain: true };
    case 'admitted':
      return { object: fileObject(admission, written), problems, uncertain: false };
    default:
      return admission satisfies never;
  }
}

type Admitted = Extract<Admission, { is: 'admitted' }>;

function fileObject({ ref, object }: Admitted, { document, index, text, file, path }: Written): FileObject {
  const location = { file, ...document.positionOf(path, 'value') };
  return { object, location, ref, key: refKey(ref), text, document: index, path };
}

function objectProblem(
  { code, severity = 'error', path, at, says, fix }: Finding,
  ref: ObjectRef | undefined,
  { document, file, path: base }: Written,
): LocatedProblem {
  const field = showPath(path);
  const subject = ref ? printable(shorten(showRef(ref))) : file;
  // What is said of a kind names it already.
  const place = path.length > 0 && code !== 'WEFT-1003' ? `${field} ` : '';
  return {
    code,
    severity,
    reason: 'Invalid',
    message: `${subject}: ${place}${says}`,
    fix,
    ref: ref ?? fileRef(file),
    field,
    location: { file, ...document.positionOf([...base, ...path], at) },
  };
}

/** Problems that belong to no object belong to their file. */
function fileRef(file: string): ObjectRef {
  return { group: '', kind: 'File', namespace: '', name: file };
}

type FileMistake = Pick<Problem, 'code' | 'fix'> & Location & { readonly says: string };

function fileProblem({ code, file, line, column, says, fix }: FileMistake): LocatedProblem {
  return {
    code,
    severity: 'error',
    reason: 'Invalid',
    message: code === 'WEFT-1001' ? `${file} is not YAML: ${says}` : `${file}: ${says}`,
    fix,
    ref: fileRef(file),
    field: '',
    location: { file, line, column },
  };
}

/** Where a field stands: the field itself, else its nearest parent. */
export function locateField({ text, document, path, location }: FileObject, field: string): Location {
  // Every list of objects asks for their places: no need to read the file again for that.
  if (field === '') return location;
  const position = parsedOnce(text)[document]?.positionOfField(path, field);
  return position ? { file: location.file, ...position } : location;
}

/** Problems ask for many fields of few files in a row; trees of all files would cost ten times their text. */
const recent = new Map<string, readonly YamlDocument[]>();
const maxRecent = 16;

function parsedOnce(text: string): readonly YamlDocument[] {
  const documents = recent.get(text) ?? parseYaml(text).documents;
  recent.delete(text);
  recent.set(text, documents);
  const [oldest] = recent.keys();
  if (recent.size > maxRecent && oldest !== undefined) recent.delete(oldest);
  return documents;
}
