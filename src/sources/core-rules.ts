import { isIP, isIPv4, isIPv6 } from 'node:net';
import { repeated } from './expectation.ts';
import { type Finding, type Path, showValue } from './finding.ts';
import { checkLabel, checkLabels } from './object-names.ts';
import type { DeploymentSpec, EndpointSliceFields, ServicePortSpec, ServiceSpec } from './specs.ts';

/** What an API server checks and fills in by code for the core kinds, where their schemas say nothing. */

const wrong = (path: Path, says: string, fix: string): Finding => ({
  code: 'WEFT-1005',
  path,
  at: 'value',
  says,
  fix,
});

/** A port goes to the same number of its pods unless it says otherwise. */
export function completeService(spec: ServiceSpec): ServiceSpec {
  if (!spec.ports) return spec;
  return {
    ...spec,
    ports: spec.ports.map((port) => ({ ...port, targetPort: port.targetPort ?? port.port })),
  };
}

export function checkService(spec: ServiceSpec): readonly Finding[] {
  const { ports = [], type, clusterIP = '', externalName, selector = {} } = spec;
  const external = type === 'ExternalName';
  const needsPorts = !external && clusterIP !== 'None' && ports.length === 0;
  const badAddress = clusterIP !== '' && clusterIP !== 'None' && isIP(clusterIP) === 0;
  return [
    ...(needsPorts ? [wrong(['spec', 'ports'], 'is required', 'add ports: [{name: http, port: 80}]')] : []),
    ...(external && !externalName
      ? [wrong(['spec', 'externalName'], 'is required', 'add externalName: api.example.com')]
      : []),
    ...(badAddress
      ? [
          wrong(
            ['spec', 'clusterIP'],
            `must be an IP address or None, got ${showValue(clusterIP)}`,
            'leave it out, and one is chosen',
          ),
        ]
      : []),
    ...checkLabels(selector, ['spec', 'selector']),
    ...ports.flatMap((port, index) => checkServicePort(port, ['spec', 'ports', index], ports.length > 1)),
    ...repeatedNames(ports),
  ];
}

function checkServicePort(port: ServicePortSpec, path: Path, needsName: boolean): readonly Finding[] {
  const { name = '', targetPort } = port;
  const outside = typeof targetPort === 'number' && (targetPort < 1 || targetPort > 65535);
  const badName =
    typeof targetPort === 'string' && !/^(?=.*[a-z])[a-z0-9](-?[a-z0-9]){0,14}$/.test(targetPort);
  const says = outside
    ? 'must be between 1 and 65535'
    : 'must be a port number, or a container port name of at most 15 lower-case letters, digits and dashes';
  return [
    ...(needsName && name === ''
      ? [wrong([...path, 'name'], 'is required when there are several ports', 'add name: http')]
      : []),
    ...(name === '' ? [] : checkLabel(name, [...path, 'name'])),
    ...(outside || badName
      ? [wrong([...path, 'targetPort'], `${says}, got ${showValue(targetPort)}`, 'write targetPort: 8080')]
      : []),
  ];
}

function repeatedNames(ports: readonly ServicePortSpec[]): readonly Finding[] {
  return ports.flatMap(({ name }, index) => {
    const first = ports.findIndex((port) => port.name === name);
    return name && first < index
      ? [repeated(['spec', 'ports', index, 'name'], `name ${name}`, ['spec', 'ports', first])]
      : [];
  });
}

export function checkDeployment({ selector, template }: DeploymentSpec): readonly Finding[] {
  const wanted = Object.entries(selector.matchLabels ?? {});
  const labels = template.metadata?.labels ?? {};
  const missing = wanted.find(([key, value]) => !Object.hasOwn(labels, key) || labels[key] !== value);
  const empty = wanted.length === 0 && (selector.matchExpressions ?? []).length === 0;
  return [
    ...(empty ? [wrong(['spec', 'selector'], 'selects nothing', 'add matchLabels: {app: my-app}')] : []),
    ...(missing
      ? [
          wrong(
            ['spec', 'template', 'metadata', 'labels'],
            `must have ${missing.join(': ')}, which spec.selector asks for`,
            `add ${missing.join(': ')}`,
          ),
        ]
      : []),
    ...checkLabels(labels, ['spec', 'template', 'metadata', 'labels']),
  ];
}

export function checkEndpointSlice({ addressType, endpoints = [] }: EndpointSliceFields): readonly Finding[] {
  const isAddress = { IPv4: isIPv4, IPv6: isIPv6, FQDN: () => true }[addressType];
  return endpoints.flatMap(({ addresses }, index) =>
    addresses.flatMap((address, at) =>
      isAddress(address)
        ? []
        : [
            wrong(
              ['endpoints', index, 'addresses', at],
              `must be an ${addressType} address, got ${showValue(address)}`,
              'write a bare address, without port or zone',
            ),
          ],
    ),
  );
}
