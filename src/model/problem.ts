import type { ObjectRef } from './object-ref.ts';

/**
 * A user's mistake, as a value. It becomes a condition on `ref`, a line of `weft check`, and never an exception.
 *
 * `code` is stable (`WEFT-1203`), `reason` is the CamelCase condition reason (Gateway API's own word where it has one),
 * `message` says what, where and why in one sentence, `fix` what to do next.
 */
export type Problem = {
  readonly code: ProblemCode;
  readonly severity: 'error' | 'warning';
  readonly reason: string;
  readonly message: string;
  readonly fix: string;
  readonly ref: ObjectRef;
  /** Dotted path inside the object; `''` when the whole object is meant. */
  readonly field: string;
};

/** Every code, so that a switch can be exhaustive and the manual complete. One meaning a code, for ever. */
export const problemCodes = {
  'WEFT-1001': 'the file is not YAML',
  'WEFT-1002': 'the document is not a Kubernetes object',
  'WEFT-1003': 'unknown kind or version',
  'WEFT-1004': 'unknown field',
  'WEFT-1005': 'wrong type or value out of bounds',
  'WEFT-1006': 'the same object is defined twice',
  'WEFT-1007': 'the file cannot be read or is too large',
  'WEFT-1008': 'invalid name or namespace',
  'WEFT-1009': 'kind not read by Weft',
  'WEFT-1101': 'field not supported yet',
  'WEFT-1201': 'service not found',
  'WEFT-1202': 'service port not found',
  'WEFT-1203': 'subset not found',
  'WEFT-1204': 'reference to an unsupported kind',
  'WEFT-1205': 'weights sum to zero',
  'WEFT-1206': 'invalid regular expression',
  'WEFT-1207': 'conflicts with an older object',
  'WEFT-1208': 'unreachable rule',
  'WEFT-1209': 'invalid duration or number',
  'WEFT-1210': 'selects nothing',
  'WEFT-1211': 'HTTP condition on a TCP port',
  'WEFT-1212': 'invalid principal, namespace or address pattern',
  'WEFT-1213': 'workload cannot be started',
  'WEFT-1301': 'rejected by a proxy',
  'WEFT-1302': 'Weft could not translate this object',
} as const;

export type ProblemCode = keyof typeof problemCodes;
