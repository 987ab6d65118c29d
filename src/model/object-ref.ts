/** Which object of the user's a thing came from. The core API group is `''`; cluster-scoped objects have namespace `''`. */
export type ObjectRef = {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
};

/** The ref of an object as Kubernetes writes one. */
export function refOf({
  apiVersion,
  kind,
  metadata,
}: {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}): ObjectRef {
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  return { group, kind, namespace: metadata.namespace ?? '', name: metadata.name };
}

/** A place inside an object: `field` is a dotted path such as `spec.rules[0].backendRefs[1].port`; `''` is the whole object. */
export type Origin = { readonly ref: ObjectRef; readonly field: string };

/** `HTTPRoute campus/pay-routes`: the form every message and table uses. */
export function showRef(ref: ObjectRef): string {
  return ref.namespace === '' ? `${ref.kind} ${ref.name}` : `${ref.kind} ${ref.namespace}/${ref.name}`;
}

/** A string equal for equal refs, for use as a map key only; nothing parses it. */
export function refKey(ref: ObjectRef): string {
  return `${ref.group}|${ref.kind}|${ref.namespace}|${ref.name}`;
}
