import type { Service } from '../model/service.ts';
import type { MergedRule } from './destination-rule.ts';
import type { ReadHttpRoute } from './http-route.ts';
import type { ReadVirtualService } from './virtual-service.ts';

/**
 * Everything that one client namespace's view of a service may ask, one string a question. Answers are immutable and
 * keep their reference while they are the same, so a view stands as long as its questions get the answers they got.
 */
export type ClientWorld = {
  /** By host. Answers for hidden services too. */
  readonly service: (host: string) => Service | undefined;
  /** Is the service kept from this client? By host. */
  readonly hidden: (host: string) => boolean;
  /** Why there is no service of that host, for a message. */
  readonly missing: (host: string) => string;
  /** The HTTPRoutes that count for this client, oldest first. By `endpointsKey`. */
  readonly httpRoutes: (servicePort: string) => readonly ReadHttpRoute[];
  /** The VirtualService that counts for this client. By host. */
  readonly virtualService: (host: string) => ReadVirtualService | undefined;
  /** The DestinationRules that count for this client, merged. By host. */
  readonly destinationRule: (host: string) => MergedRule | undefined;
  readonly isClient: (namespace: string) => boolean;
  /** Do all workloads behind the port refuse TLS? By `endpointsKey`. */
  readonly plaintext: (servicePort: string) => boolean;
};
