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

/** What went wrong, where, why, and what to do. Never holds a token or a key. */
export class AgentError extends Error {
  readonly code: AgentCode;
  readonly fix: string;

  constructor(code: AgentCode, problem: { message: string; fix: string; cause?: unknown }) {
    super(problem.message, { cause: problem.cause });
    this.name = 'AgentError';
    this.code = code;
    this.fix = problem.fix;
  }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
