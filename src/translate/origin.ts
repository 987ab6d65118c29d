import { sortedBy } from '../base/sorted.ts';
import { type ObjectRef, type Origin, refKey, showRef } from '../model/object-ref.ts';

/** `HTTPRoute campus/pay-routes spec.rules[0]` */
export function showOrigin(origin: Origin): string {
  return origin.field === '' ? showRef(origin.ref) : `${showRef(origin.ref)} ${origin.field}`;
}

export function showOrigins(refs: readonly ObjectRef[]): string {
  return sortedOrigins(refs).map(showRef).join(', ');
}

/** Without doubles, by `refKey`: equal sets of objects give equal arrays. */
export function sortedOrigins(refs: readonly ObjectRef[]): readonly ObjectRef[] {
  return sortedBy(new Map(refs.map((ref) => [refKey(ref), ref])).values(), refKey);
}
