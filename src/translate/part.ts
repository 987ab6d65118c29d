import type { Problem } from '../model/problem.ts';
import type { EnvoyResource, ResourceList } from '../snapshot/resource.ts';
import { createGuard, type Guard } from './guard.ts';

/** Some resources and what went wrong while making them; remembered together, so that a problem is not told only once. */
export type Part = { readonly resources: ResourceList; readonly problems: readonly Problem[] };

export function makePart(make: (guard: Guard) => readonly EnvoyResource[]): Part {
  const guard = createGuard();
  const resources = make(guard);
  return { resources, problems: guard.problems() };
}

export function joinParts(parts: readonly Part[]): Part {
  return {
    resources: parts.flatMap((part) => part.resources),
    problems: parts.flatMap((part) => part.problems),
  };
}
