import { proxyUid } from '../model/names.ts';

/** Where the sidecar takes the pod's TCP traffic, and the ports that must reach the pod around it. */
export const capturePorts = { outbound: 15001, inbound: 15006, exempt: [15020, 15021, 15090] } as const;

const table = 'inet weft';
/** Envoy's own source towards its app: seen in no other place, so nothing else passes uncaptured by it. */
const inboundSource = '127.0.0.6';

/**
 * The whole of capture, as one nftables transaction: applied twice it is applied once.
 *
 * Out: all TCP goes to the sidecar, save what the sidecar's user sends and what stays on loopback. What the sidecar sends
 * to its own pod comes back in as any other caller's would. In: all TCP goes to the sidecar, save the exempt ports.
 * IPv6 is captured likewise; where no sidecar listens on it, it is refused rather than let past.
 */
export const captureRules: string = `table ${table}
delete table ${table}
table ${table} {
  chain output {
    type nat hook output priority -100; policy accept;
    meta l4proto != tcp return
    ip saddr ${inboundSource} oifname "lo" return
    meta skuid ${proxyUid} oifname "lo" ip daddr != 127.0.0.1 meta l4proto tcp redirect to :${capturePorts.inbound}
    meta skuid ${proxyUid} return
    ip daddr 127.0.0.0/8 return
    ip6 daddr ::1 return
    meta l4proto tcp redirect to :${capturePorts.outbound}
  }
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    iifname "lo" return
    tcp dport != { ${capturePorts.exempt.join(', ')} } redirect to :${capturePorts.inbound}
  }
}
`;

/** Takes capture away, and is content when there is none. */
export const releaseRules: string = `table ${table}\ndelete table ${table}\n`;
