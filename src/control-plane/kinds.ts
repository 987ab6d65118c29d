import type { ObjectsByKind } from '../sources/specs.ts';
import { type Kind, kinds } from '../sources/types.ts';
import type { StoreView } from '../store/store.ts';

export type ObjectsView = StoreView<ObjectsByKind>;

// The keys of a constant are its kinds.
export const allKinds = Object.keys(kinds) as readonly Kind[];
