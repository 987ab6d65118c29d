import { type Finding, type Path, printable, shorten, showValue } from './finding.ts';
import type { Kind } from './types.ts';

/** The rules for names, namespaces and labels. */

type Rule = { readonly pattern: RegExp; readonly max: number; readonly says: string };

const label: Rule = {
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  max: 63,
  says: 'lower-case letters, digits and dashes, starting and ending with a letter or digit',
};
const subdomain: Rule = {
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  max: 253,
  says: 'lower-case letters, digits, dashes and dots, starting and ending with a letter or digit',
};
const labelValue: Rule = {
  pattern: /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/,
  max: 63,
  says: 'letters, digits, dashes, underscores and dots, starting and ending with a letter or digit',
};

/** Kinds whose name becomes one label of a DNS name. */
const labelNamed: readonly Kind[] = ['Service', 'Namespace'];

export function checkName(kind: Kind, name: string): readonly Finding[] {
  return check(labelNamed.includes(kind) ? label : subdomain, name, ['metadata', 'name']);
}

export function checkNamespace(namespace: string): readonly Finding[] {
  return check(label, namespace, ['metadata', 'namespace']);
}

/** A name inside an object that must be a DNS label, such as a port's. */
export function checkLabel(name: string, path: Path): readonly Finding[] {
  return check(label, name, path).map((finding) => ({ ...finding, code: 'WEFT-1005' as const }));
}

/** Label keys may have a DNS prefix: `app.kubernetes.io/name`. */
export function checkLabels(labels: Readonly<Record<string, string>>, path: Path): readonly Finding[] {
  return Object.entries(labels).flatMap(([key, value]) => {
    const at: Path = [...path, key];
    const slash = key.indexOf('/');
    const name = key.slice(slash + 1);
    const prefixed = slash < 0 || broken(subdomain, key.slice(0, slash)) === undefined;
    const badKey = !prefixed || name === '' || broken(labelValue, name) !== undefined;
    const badValue = broken(labelValue, value);
    return [
      ...(badKey
        ? [finding(at, 'key', 'is not a label key: name, or dns-prefix/name', 'write a plain name')]
        : []),
      ...(badValue
        ? [finding(at, 'value', badValue, `write ${shorten(printable(key))}: ${simplified(value)}`)]
        : []),
    ];
  });
}

function check(rule: Rule, name: string, path: Path): readonly Finding[] {
  const says = broken(rule, name);
  const fix = `write ${path.at(-1)}: ${simplified(name.toLowerCase()).replace(/[._]/g, '-')}`;
  return says === undefined ? [] : [{ ...finding(path, 'value', says, fix), code: 'WEFT-1008' }];
}

function broken(rule: Rule, name: string): string | undefined {
  if (name.length > rule.max) return `must have at most ${rule.max} characters, has ${name.length}`;
  return rule.pattern.test(name) ? undefined : `must be ${rule.says}, got ${showValue(name)}`;
}

/** The nearest allowed text, as a proposal. */
function simplified(text: string): string {
  const plain = text.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 40);
  return plain.replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '') || 'my-name';
}

function finding(path: Path, at: 'key' | 'value', says: string, fix: string): Finding {
  return { code: 'WEFT-1005', path, at, says, fix };
}
