import { type Resource, type ResourceType, typeUrls } from './resource.ts';

const text = new TextEncoder();
/** Tags of field 2 of DeltaDiscoveryResponse, of `Resource` (1 version, 2 resource, 3 name) and of `Any`. */
const tags = { resources: 0x12, version: 0x0a, any: 0x12, name: 0x1a, typeUrl: 0x0a, value: 0x12 } as const;

const typeUrlFields: Readonly<Record<ResourceType, Uint8Array>> = {
  secret: stringField(tags.typeUrl, typeUrls.secret),
  cluster: stringField(tags.typeUrl, typeUrls.cluster),
  endpoint: stringField(tags.typeUrl, typeUrls.endpoint),
  listener: stringField(tags.typeUrl, typeUrls.listener),
  route: stringField(tags.typeUrl, typeUrls.route),
};

/**
 * Lays out a resource as it stands in a response. `bytes` of the result is a part of `frame`, so a resource is
 * held in memory once, and what was passed in may be let go.
 */
export function framed(resource: Omit<Resource, 'frame'>): Resource {
  const typeUrl = typeUrlFields[resource.type];
  const valueHead = head(tags.value, resource.bytes.length);
  const version = stringField(tags.version, resource.version);
  const anyHead = head(tags.any, typeUrl.length + valueHead.length + resource.bytes.length);
  const name = stringField(tags.name, resource.name);
  const before = [version, anyHead, typeUrl, valueHead];
  const beforeLength = before.reduce((sum, part) => sum + part.length, 0);
  const frameHead = head(tags.resources, beforeLength + resource.bytes.length + name.length);

  const frame = new Uint8Array(frameHead.length + beforeLength + resource.bytes.length + name.length);
  let at = 0;
  for (const part of [frameHead, ...before, resource.bytes, name]) {
    frame.set(part, at);
    at += part.length;
  }
  const start = frameHead.length + beforeLength;
  return { ...resource, frame, bytes: frame.subarray(start, start + resource.bytes.length) };
}

function stringField(tag: number, value: string): Uint8Array {
  const bytes = text.encode(value);
  const before = head(tag, bytes.length);
  const field = new Uint8Array(before.length + bytes.length);
  field.set(before);
  field.set(bytes, before.length);
  return field;
}

function head(tag: number, length: number): Uint8Array {
  const bytes = [tag];
  let rest = length;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
