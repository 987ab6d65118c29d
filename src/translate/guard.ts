import type { Origin } from '../model/object-ref.ts';
import type { Problem } from '../model/problem.ts';
import { showOrigin } from './origin.ts';

/**
 * Contains a fault of ours to the part where it happens: what `make` throws becomes a problem on `origin`, and `safe`
 * takes the part's place. `resolve` has already sorted out users' mistakes, so this is the last net, not a path.
 */
export type Guard = {
  readonly run: <T>(origin: Origin, make: () => T, safe: () => T) => T;
  readonly problems: () => readonly Problem[];
};

export function createGuard(): Guard {
  const problems: Problem[] = [];
  return {
    run: (origin, make, safe) => {
      try {
        return make();
      } catch (error) {
        problems.push(untranslatable(origin, error));
        return safe();
      }
    },
    problems: () => problems,
  };
}

function untranslatable(origin: Origin, error: unknown): Problem {
  const why = error instanceof Error ? error.message : String(error);
  return {
    code: 'WEFT-1302',
    severity: 'error',
    reason: 'Untranslatable',
    message: `${showOrigin(origin)} could not be turned into Envoy's configuration: ${why}`,
    fix: 'Simplify or remove this part of the object; it is answered safely (refused) until then. If it looks right, report it as a fault of Weft.',
    ref: origin.ref,
    field: origin.field,
  };
}
