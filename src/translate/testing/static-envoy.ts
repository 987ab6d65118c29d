/** Resources as Envoy's JSON, and as a static configuration: routes and endpoints inlined, files instead of SDS. */
import { type JsonObject, type JsonValue, type Message, toJson } from '@bufbuild/protobuf';
import { registry } from '../../../gen/registry.ts';
import type { EnvoyResource, ResourceType } from '../../snapshot/resource.ts';
import { typeUrls } from '../../snapshot/resource.ts';
import type { KeyPair } from './certificates.ts';

export function toEnvoyJson(resource: EnvoyResource): JsonObject {
  const schema = registry.getMessage(typeUrls[resource.type].split('/')[1] ?? '');
  if (schema === undefined) throw new Error(`no schema for ${resource.type}`);
  // A message's JSON is an object.
  return toJson(schema, resource.message as Message, { registry, useProtoFieldName: true }) as JsonObject;
}

export type StaticFiles = { readonly root: string; readonly own: KeyPair };

/** Changes to the JSON of one cluster or listener, to move it to where a test can reach it. */
export type Adjust = (resource: JsonObject) => JsonObject;

export function staticResources(
  resources: readonly EnvoyResource[],
  files: StaticFiles,
): { readonly clusters: JsonObject[]; readonly listeners: JsonObject[] } {
  const jsonOf = (type: ResourceType): Map<string, JsonObject> =>
    new Map(resources.filter((one) => one.type === type).map((one) => [one.name, toEnvoyJson(one)]));
  const endpoints = jsonOf('endpoint');
  const routes = jsonOf('route');
  const clusters = [...jsonOf('cluster').values()].map((cluster) => inlineEndpoints(cluster, endpoints));
  const listeners = [...jsonOf('listener').values()].map((one) => inlineRoutes(one, routes));
  return {
    clusters: clusters.map((one) => object(withFiles(one, files))),
    listeners: listeners.map((one) => object(withFiles(one, files))),
  };
}

function inlineEndpoints(cluster: JsonObject, endpoints: ReadonlyMap<string, JsonObject>): JsonObject {
  if (cluster.type !== 'EDS') return cluster;
  const { eds_cluster_config: _, ...rest } = cluster;
  const assignment = endpoints.get(String(cluster.name));
  if (assignment === undefined) throw new Error(`cluster ${String(cluster.name)} has no endpoints resource`);
  return { ...rest, type: 'STATIC', load_assignment: assignment };
}

function inlineRoutes(value: JsonObject, routes: ReadonlyMap<string, JsonObject>): JsonObject {
  return object(
    rewrite(value, (one) => {
      if (!isObject(one.rds)) return one;
      const { rds, ...rest } = one;
      const found = routes.get(String(rds.route_config_name));
      if (found === undefined) throw new Error(`no route configuration ${String(rds.route_config_name)}`);
      return { ...rest, route_config: found };
    }),
  );
}

function withFiles(value: JsonObject, { root, own }: StaticFiles): JsonValue {
  return rewrite(value, (one) => {
    const combined = one.combined_validation_context;
    if (!isObject(combined)) return one;
    const { combined_validation_context: _c, tls_certificate_sds_secret_configs: _s, ...rest } = one;
    return {
      ...rest,
      tls_certificates: [{ certificate_chain: { filename: own.chain }, private_key: { filename: own.key } }],
      validation_context: { ...object(combined.default_validation_context), trusted_ca: { filename: root } },
    };
  });
}

/** Every object inside, the innermost first. */
export function rewrite(value: JsonValue | undefined, change: (one: JsonObject) => JsonObject): JsonValue {
  if (Array.isArray(value)) return value.map((one) => rewrite(one, change));
  if (!isObject(value)) return value ?? null;
  return change(Object.fromEntries(Object.entries(value).map(([key, one]) => [key, rewrite(one, change)])));
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function object(value: JsonValue | undefined): JsonObject {
  if (!isObject(value)) throw new Error('not an object');
  return value;
}
