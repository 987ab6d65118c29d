import type { Manifest, ObjectEntry } from '../admin/types.ts';
import type { Condition } from '../model/condition.ts';
import type { Style } from './style.ts';

/** The first answer that is not yes: what a person has to know of an object. */
export function firstTrouble({ status }: Manifest): Condition | undefined {
  return status.conditions.find((condition) => condition.status !== 'True');
}

export function isRefused({ status }: Manifest): boolean {
  return status.conditions.some((condition) => condition.status === 'False');
}

export const conditionHeader: readonly string[] = ['ACCEPTED', 'APPLIED', 'REASON', 'MESSAGE', 'FILE'];

/** Cells for `conditionHeader`. */
export function conditionCells({ object, applied, location }: ObjectEntry, style: Style): string[] {
  const trouble = firstTrouble(object);
  const accepted = object.status.conditions.find(({ type }) => type === 'Accepted')?.status;
  return [
    accepted === 'True' ? `${style.mark('ok')} yes` : `${style.mark('fail')} no`,
    applied.total === 0 ? '-' : `${applied.acked}/${applied.total}`,
    trouble?.reason ?? '',
    trouble?.message ?? '',
    location ? `${location.file}:${location.line}` : '',
  ];
}

export function showName({ metadata }: Manifest): string {
  return metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;
}
