import type { ServiceSpec } from '../sources/specs.ts';
import type { KubeObject } from '../sources/types.ts';
import { podNetwork } from './addresses.ts';
import { runCommand } from './command.ts';
import type { EndpointSlice } from './endpoints.ts';

/**
 * What kube-proxy does for a pod without a sidecar: a connection to a Service's address goes to one of its ready pods, and is
 * refused at once when there is none. One transaction: chains stay, so that no packet passes between old rules and new.
 */
export function serviceRules(services: readonly KubeObject[], slices: readonly EndpointSlice[]): string {
  return [
    'table ip weft_services {',
    '  chain output { type nat hook output priority -100; policy accept; }',
    '  chain refuse { type filter hook output priority 0; policy accept; }',
    '}',
    'flush chain ip weft_services output',
    'flush chain ip weft_services refuse',
    'table ip weft_services {',
    '  chain output {',
    ...services.flatMap((service) => rulesOf(service, slices)),
    '  }',
    '  chain refuse {',
    `    ip daddr ${podNetwork.services} meta l4proto tcp reject with tcp reset`,
    `    ip daddr ${podNetwork.services} reject`,
    '  }',
    '}',
    '',
  ].join('\n');
}

function rulesOf(service: KubeObject, slices: readonly EndpointSlice[]): string[] {
  const { namespace, name } = service.metadata;
  // The source lets only objects through that their kind's schema accepts.
  const { clusterIP, ports = [] } = service.spec as ServiceSpec;
  if (clusterIP === undefined || !/^[\d.]+$/.test(clusterIP)) return [];
  return ports.flatMap(({ port, protocol, name: portName = '' }) => {
    if (protocol !== 'TCP' && protocol !== 'UDP') return [];
    const targets = slices
      .filter((slice) => slice.namespace === namespace && slice.service === name)
      .flatMap((slice) => targetsOf(slice, portName));
    if (targets.length === 0) return [];
    const choice = targets.map((target, index) => `${index} : ${target}`).join(', ');
    const match = `ip daddr ${clusterIP} ${protocol.toLowerCase()} dport ${port}`;
    return [`    ${match} dnat ip to numgen random mod ${targets.length} map { ${choice} }`];
  });
}

function targetsOf(slice: EndpointSlice, portName: string): string[] {
  const port = slice.ports.find((candidate) => candidate.name === portName)?.port;
  if (port === undefined) return [];
  return slice.endpoints.filter(({ ready }) => ready).map(({ ip }) => `${ip} . ${port}`);
}

/** Puts the rules in force in one pod's network namespace. */
export async function applyRules(netns: string, rules: string): Promise<void> {
  await runCommand('nsenter', [`--net=${netns}`, 'nft', '-f', '-'], rules);
}
