/** What the traffic of a while says: judgements over the node agent's edges. */
import { type Edge, isOutside } from './mesh.ts';
import { type Check, verdict } from './verdict.ts';

/** How far back the traffic is looked at. */
export const trafficWindow = 30_000;

/** Of fewer requests a second, one that failed says nothing yet. */
const enough = 1;
const good = 0.99;

export function trafficChecks(edges: readonly Edge[]): readonly Check[] {
  const busy = edges.filter(({ rps }) => (rps ?? 0) >= enough);
  const failing = busy.filter(({ successRate }) => successRate !== null && successRate < good);
  const plain = edges.filter((edge) => edge.mtls === false && !isOutside(edge));
  const denied = busy.filter((edge) => (edge.denied ?? 0) > 1 - good);
  return [
    verdict('traffic-success', `requests succeed (${busy.length} edges with ${enough} a second or more)`, {
      bad: failing.map((edge) => `${nameOf(edge)}: ${rateOf(edge)}, ${percent(edge.successRate)} succeed`),
      fix: 'weft edges --watch, and weft logs of the last one in the chain that fails',
      result: 'warn',
    }),
    verdict('traffic-mtls', 'workloads of the mesh speak mTLS with each other', {
      bad: plain.map((edge) => `${nameOf(edge)}: ${rateOf(edge)} in plaintext`),
      fix: 'give both a sidecar; what may come in plaintext at all: weft get peerauthentication',
      result: 'warn',
    }),
    verdict('traffic-denied', 'requests are not denied', {
      bad: denied.map(
        (edge) => `${nameOf(edge)}: ${rateOf(edge)}, ${percent(edge.denied)} denied (401 or 403)`,
      ),
      fix: 'weft get authorizationpolicy, unless it is meant so',
      result: 'warn',
    }),
  ];
}

function nameOf(edge: Edge): string {
  return `${isOutside(edge) ? 'outside' : edge.source} -> ${edge.target}`;
}

function rateOf({ rps }: Edge): string {
  return rps === null ? 'TCP' : `${rps.toFixed(1)} requests/s`;
}

function percent(share: number | null): string {
  return `${(100 * (share ?? 0)).toFixed(2)} %`;
}
