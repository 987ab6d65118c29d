import { meshPorts, ownTrafficSource, proxyUid } from '../model/names.ts';

const table = 'inet weft';

/**
 * The whole of capture, as one nftables transaction: applied twice it is applied once.
 *
 * Out: all TCP goes to the sidecar, save what the sidecar's user sends and what stays on loopback. What the sidecar sends
 * to its own pod comes back in as any other caller's would. In: all TCP goes to the sidecar, save what asks the sidecar itself
 * whether it is ready: no port where an app could listen.
 * IPv6 is captured likewise; where no sidecar listens on it, it is refused rather than let past.
 */
export const captureRules: string = `table ${table}
delete table ${table}
table ${table} {
  chain output {
    type nat hook output priority -100; policy accept;
    meta l4proto != tcp return
    ip saddr ${ownTrafficSource} oifname "lo" return
    meta skuid ${proxyUid} oifname "lo" ip daddr != 127.0.0.1 meta l4proto tcp redirect to :${meshPorts.inbound}
    meta skuid ${proxyUid} return
    ip daddr 127.0.0.0/8 return
    ip6 daddr ::1 return
    meta l4proto tcp redirect to :${meshPorts.outbound}
  }
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    iifname "lo" return
    tcp dport != ${meshPorts.ready} redirect to :${meshPorts.inbound}
  }
}
`;
