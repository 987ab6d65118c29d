/** `<name>.<namespace>.svc.<cluster domain>` */
export function serviceHost(namespace: string, name: string, clusterDomain: string): string {
  return `${name}.${namespace}.svc.${clusterDomain}`;
}

/** Istio's short-name rule: only a name without any dot is completed, with the namespace of the rule that says it. */
export function expandHost(host: string, namespace: string, clusterDomain: string): string {
  const short = !host.includes('.') && !host.includes(':') && host !== '*';
  return (short ? serviceHost(namespace, host, clusterDomain) : host).toLowerCase();
}

/** `*` is all; `*.foo` is any name that ends in `.foo`, at any depth, but not `foo`. */
export function hostMatches(pattern: string, host: string): boolean {
  return isWildcard(pattern)
    ? host.length >= pattern.length && host.endsWith(pattern.slice(1))
    : pattern === host;
}

export function isWildcard(pattern: string): boolean {
  return pattern.startsWith('*');
}

/** Exact names first, then the longer wildcard. */
export function compareHosts(a: string, b: string): number {
  return Number(isWildcard(a)) - Number(isWildcard(b)) || b.length - a.length;
}

/** Who may see an object: Istio's `exportTo`. */
export type Visibility = { readonly all: boolean; readonly namespaces: ReadonlySet<string> };

/** Nothing said means all. `.` is the object's own namespace, `~` nobody. */
export function readVisibility(exportTo: readonly string[] | undefined, namespace: string): Visibility {
  const said = exportTo?.map((entry) => (entry === '.' ? namespace : entry)) ?? [];
  return {
    all: said.length === 0 || said.includes('*'),
    namespaces: new Set(said.filter((entry) => entry !== '~' && entry !== '*')),
  };
}

export function isVisible({ all, namespaces }: Visibility, namespace: string): boolean {
  return all || namespaces.has(namespace);
}

export function sameVisibility(a: Visibility, b: Visibility): boolean {
  return a.all === b.all && (a.all || a.namespaces.symmetricDifference(b.namespaces).size === 0);
}

/** Is there a namespace that sees both? */
export function visibilitiesMeet(a: Visibility, b: Visibility): boolean {
  const none = (v: Visibility): boolean => !v.all && v.namespaces.size === 0;
  if (none(a) || none(b)) return false;
  return a.all || b.all || !a.namespaces.isDisjointFrom(b.namespaces);
}
