import type { Family } from './exposition.ts';
import type { Workload } from './workload.ts';

/** What the agent says of itself, beside what the sidecars say. Names never end up as anything but letters of DNS. */
export function agentFamilies(workloads: readonly Workload[]): readonly Family[] {
  const states = workloads.map((workload) => ({ workload, state: workload.state() }));
  const gauge = (name: string, value: (one: (typeof states)[number]) => number): Family => ({
    name,
    type: 'gauge',
    lines: states.map((one) => {
      const { namespace, pod } = one.state;
      return `${name}{namespace="${namespace}",pod="${pod}"} ${value(one)}`;
    }),
  });
  return [
    { name: 'weft_agent_workloads', type: 'gauge', lines: [`weft_agent_workloads ${states.length}`] },
    gauge(
      'weft_agent_certificate_expiry_timestamp_seconds',
      ({ workload }) => (workload.certificate()?.notAfter ?? 0) / 1000,
    ),
    gauge('weft_agent_sidecar_connected', ({ state }) => Number(state.connected)),
    gauge('weft_agent_configured', ({ state }) => Number(state.configured)),
  ].filter(({ lines }) => lines.length > 0);
}
