/** One answer about one object, in Kubernetes' form. */
export type Condition = {
  readonly type: ConditionType;
  readonly status: 'True' | 'False' | 'Unknown';
  /** CamelCase; for False and Unknown the reason of the problem. */
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  /** RFC 3339: when `status` last became what it is. */
  readonly lastTransitionTime: string;
};

/**
 * `Accepted`: the object makes sense. `ResolvedRefs`: what it names exists. `Programmed`: every proxy that needs it
 * runs it.
 */
export type ConditionType = 'Accepted' | 'ResolvedRefs' | 'Programmed';

export type ObjectStatus = {
  /** All three types, in the order of `ConditionType`. */
  readonly conditions: readonly Condition[];
  /** Gateway API's place for the same answers: one entry for each parent that is ours. Routes only. */
  readonly parents?: readonly ParentStatus[];
};

export type ParentStatus = {
  /** As the user wrote it. */
  readonly parentRef: Readonly<Record<string, unknown>>;
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
};
