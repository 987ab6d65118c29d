import { stringify } from 'yaml';

/** Loaded only for `-o yaml`. A file of its own: bundled, a lazily imported CommonJS package has no named exports. */
export function toYaml(data: unknown): string {
  // Objects that occur twice are written twice: no tool that reads Kubernetes YAML expects anchors.
  return stringify(data, { aliasDuplicateObjects: false, lineWidth: 0 });
}
