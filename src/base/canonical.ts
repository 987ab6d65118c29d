/**
 * Protobuf messages as bytes that depend on their content only.
 *
 * `toBinary` writes fields by number but maps in the order their keys were inserted, so two equal messages could
 * differ in bytes, and with them in version. Here map keys (and those of `google.protobuf.Struct`) come sorted.
 * An `Any` is bytes already: whoever packs one uses this function too.
 */
import { type DescField, type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { compareStrings } from './sorted.ts';

export function encodeCanonical<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
): Uint8Array<ArrayBuffer> {
  // Sorting keys changes no field's type.
  return toBinary(schema, canonicalMessage(schema, message) as MessageShape<Desc>);
}

const fieldsWithMaps = new WeakMap<DescMessage, readonly DescField[]>();

function mapFields(desc: DescMessage): readonly DescField[] {
  let fields = fieldsWithMaps.get(desc);
  if (fields === undefined) {
    fields = desc.fields.filter((field) => leadsToMap(field, new Set()));
    fieldsWithMaps.set(desc, fields);
  }
  return fields;
}

function leadsToMap(field: DescField, seen: Set<DescMessage>): boolean {
  if (field.fieldKind === 'map') return true;
  const inner = field.message;
  if (inner === undefined || seen.has(inner)) return false;
  seen.add(inner);
  return inner.fields.some((child) => leadsToMap(child, seen));
}

function canonicalMessage(desc: DescMessage, message: object): object {
  let copy: Record<string, unknown> | undefined;
  for (const field of mapFields(desc)) {
    const place = field.oneof?.localName ?? field.localName;
    const holder: unknown = Reflect.get(message, place);
    const before = field.oneof ? oneofValue(holder, field.localName) : holder;
    if (before === undefined) continue;
    const after = canonicalField(field, before);
    if (after === before) continue;
    copy ??= Object.assign(Object.create(Object.getPrototypeOf(message)), message) as Record<string, unknown>;
    copy[place] = field.oneof ? { case: field.localName, value: after } : after;
  }
  return copy ?? message;
}

function oneofValue(holder: unknown, name: string): unknown {
  return isObject(holder) && holder.case === name ? holder.value : undefined;
}

function canonicalField(field: DescField, value: unknown): unknown {
  if (field.fieldKind === 'list') {
    return Array.isArray(value) ? sameOr(value, (item) => canonicalValue(field.message, item)) : value;
  }
  if (field.fieldKind === 'map') {
    return isObject(value) ? sortedRecord(value, (item) => canonicalValue(field.message, item)) : value;
  }
  return canonicalValue(field.message, value);
}

function canonicalValue(desc: DescMessage | undefined, value: unknown): unknown {
  if (desc === undefined || !isObject(value)) return value;
  // A Struct inside a message is held as the JSON object itself.
  if (desc.typeName === 'google.protobuf.Struct' && value.$typeName === undefined) return sortedJson(value);
  return canonicalMessage(desc, value);
}

function sortedJson(value: unknown): unknown {
  if (Array.isArray(value)) return sameOr(value, sortedJson);
  return isObject(value) ? sortedRecord(value, sortedJson) : value;
}

function sortedRecord(record: Record<string, unknown>, each: (value: unknown) => unknown): object {
  const keys = Object.keys(record);
  const sorted = keys.toSorted(compareStrings);
  const entries = sorted.map((key) => [key, each(record[key])] as const);
  const same = entries.every(([key, value], index) => key === keys[index] && value === record[key]);
  return same ? record : Object.fromEntries(entries);
}

function sameOr(list: unknown[], each: (value: unknown) => unknown): unknown[] {
  const mapped = list.map(each);
  return mapped.every((item, index) => item === list[index]) ? list : mapped;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
