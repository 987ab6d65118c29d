import { create, fromBinary, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { anyPack, anyUnpack, StructSchema } from '@bufbuild/protobuf/wkt';
import { type Node, NodeSchema } from '../../gen/envoy/config/core/v3/base_pb.ts';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from '../../gen/envoy/service/discovery/v3/discovery_pb.ts';
import { type ResourceType, resourceTypes, typeUrls } from '../snapshot/resource.ts';
import { messagePrefix, RpcError, rpcCodes } from './grpc.ts';
import type { DeltaRequest, Outgoing } from './stream.ts';

export const deltaPath = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';

/** Who a client says it is; nothing of it is attested. */
export type NodeId = {
  readonly id: string;
  readonly cluster: string;
  readonly metadata: JsonObject;
  /** `1.40.0`; `''` when the client did not say. */
  readonly envoyVersion: string;
};

const typesByUrl = new Map<string, ResourceType>(resourceTypes.map((type) => [typeUrls[type], type]));

/** `system_version_info` of a response that others follow for the same type. */
const partial = 'partial';

export type ReadRequest = { readonly node: NodeId | undefined; readonly request: DeltaRequest | undefined };

/** `request` is undefined for types that no proxy of ours needs. Throws `RpcError` for what is no request. */
export function readRequest(bytes: Uint8Array): ReadRequest {
  const message = decoded(bytes);
  const node = message.node && {
    id: message.node.id,
    cluster: message.node.cluster,
    metadata: message.node.metadata ?? {},
    envoyVersion: versionOf(message.node),
  };
  const type = typesByUrl.get(message.typeUrl);
  if (type === undefined) return { node, request: undefined };
  const error = message.errorDetail && {
    message: message.errorDetail.message || 'rejected without a message',
    byName: errorsByName(message),
  };
  const request = {
    type,
    subscribe: message.resourceNamesSubscribe,
    unsubscribe: message.resourceNamesUnsubscribe,
    initial: new Map(Object.entries(message.initialResourceVersions)),
    nonce: message.responseNonce,
    ...(error && { error }),
  };
  return { node, request };
}

function versionOf({ userAgentVersionType: said }: Node): string {
  if (said.case === 'userAgentVersion') return said.value;
  const version = said.value?.version;
  return version ? `${version.majorNumber}.${version.minorNumber}.${version.patch}` : '';
}

function decoded(bytes: Uint8Array): DeltaDiscoveryRequest {
  try {
    return fromBinary(DeltaDiscoveryRequestSchema, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw new RpcError(rpcCodes.invalidArgument, 'the message is no DeltaDiscoveryRequest', { cause });
  }
}

/** A node agent says which resource was bad: a Struct of name → message. */
function errorsByName({ errorDetail }: DeltaDiscoveryRequest): Map<string, string> {
  const found = new Map<string, string>();
  for (const detail of errorDetail?.details ?? []) {
    if (!detail.typeUrl.endsWith('google.protobuf.Struct')) continue;
    const fields = unpackStruct(detail.value);
    for (const [name, message] of Object.entries(fields)) {
      found.set(name, typeof message === 'string' ? message : JSON.stringify(message));
    }
  }
  return found;
}

function unpackStruct(value: Uint8Array): JsonObject {
  try {
    const any = { $typeName: 'google.protobuf.Any' as const, typeUrl: `/${StructSchema.typeName}`, value };
    const struct = anyUnpack(any, StructSchema);
    return Object.fromEntries(
      Object.entries(struct?.fields ?? {}).map(([name, { kind }]) => [
        name,
        kind.case === 'stringValue' ? kind.value : '',
      ]),
    );
  } catch (cause) {
    throw new RpcError(rpcCodes.invalidArgument, 'error_detail.details holds no Struct', { cause });
  }
}

/** A response as buffers in order: its gRPC prefix and its own small fields, then the frames that all streams share. */
export function responseBuffers(response: Outgoing): Uint8Array[] {
  const head = toBinary(
    DeltaDiscoveryResponseSchema,
    create(DeltaDiscoveryResponseSchema, {
      typeUrl: typeUrls[response.type],
      nonce: response.nonce,
      removedResources: [...response.removed],
      systemVersionInfo: response.complete ? '' : partial,
    }),
  );
  const frames = response.resources.map(({ frame }) => frame);
  const length = frames.reduce((sum, frame) => sum + frame.length, head.length);
  return [Buffer.concat([messagePrefix(length), head]), ...frames];
}

export type ReadResponse = {
  readonly type: ResourceType;
  readonly nonce: string;
  readonly resources: readonly {
    readonly name: string;
    readonly version: string;
    readonly bytes: Uint8Array;
  }[];
  readonly removed: readonly string[];
  readonly complete: boolean;
};

/** Throws when it is no response, or of a type that was not asked for. */
export function readResponse(bytes: Uint8Array): ReadResponse {
  const message = fromBinary(DeltaDiscoveryResponseSchema, bytes);
  const type = typesByUrl.get(message.typeUrl);
  if (type === undefined) throw new RpcError(rpcCodes.internal, `a response of type ${message.typeUrl}`);
  return {
    type,
    nonce: message.nonce,
    resources: message.resources.map(({ name, version, resource }) => ({
      name,
      version,
      bytes: resource?.value ?? new Uint8Array(),
    })),
    removed: message.removedResources,
    complete: message.systemVersionInfo !== partial,
  };
}

export type WrittenRequest = {
  readonly node?: NodeId;
  readonly type: ResourceType;
  readonly subscribe?: readonly string[];
  readonly initial?: ReadonlyMap<string, string>;
  readonly nonce?: string;
  readonly errors?: ReadonlyMap<string, string>;
};

/** One request with its gRPC prefix. */
export function requestBuffer(request: WrittenRequest): Buffer {
  const { node, type, errors } = request;
  const body = toBinary(
    DeltaDiscoveryRequestSchema,
    create(DeltaDiscoveryRequestSchema, {
      typeUrl: typeUrls[type],
      ...(node && { node: writtenNode(node) }),
      resourceNamesSubscribe: [...(request.subscribe ?? [])],
      initialResourceVersions: Object.fromEntries(request.initial ?? []),
      responseNonce: request.nonce ?? '',
      ...(errors && { errorDetail: errorDetail(errors) }),
    }),
  );
  return Buffer.concat([messagePrefix(body.length), body]);
}

function writtenNode({ id, cluster, metadata, envoyVersion }: NodeId): Node {
  return create(NodeSchema, {
    id,
    cluster,
    metadata,
    userAgentName: 'weft',
    userAgentVersionType: { case: 'userAgentVersion', value: envoyVersion },
  });
}

function errorDetail(errors: ReadonlyMap<string, string>) {
  const fields = Object.fromEntries(
    [...errors].map(([name, value]) => [name, { kind: { case: 'stringValue' as const, value } }]),
  );
  return {
    code: rpcCodes.invalidArgument,
    message: [...errors].map(([name, message]) => `${name}: ${message}`).join('; '),
    details: [anyPack(StructSchema, create(StructSchema, { fields }))],
  };
}
