import { CodedError } from '../base/errors.ts';

/** Every way this room fails, by stable code. One meaning a code, for ever. */
export const agentCodes = {
  'WEFT-2201': 'the request to the node agent is not valid',
  'WEFT-2202': 'no such workload',
  'WEFT-2203': 'the network namespace is not a pod’s',
  'WEFT-2204': 'the capture rules cannot be written',
  'WEFT-2205': 'the workload’s directory or socket cannot be made',
  'WEFT-2206': 'the certificate is not the one that was asked for',
  'WEFT-2207': 'Envoy’s admin socket does not answer',
  'WEFT-2208': 'the node agent cannot listen',
} as const;

export type AgentCode = keyof typeof agentCodes;

export class AgentError extends CodedError<AgentCode> {
  override readonly name = 'AgentError';
}
