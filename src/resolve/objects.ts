import type { MeshSettings } from '../model/mesh.ts';
import type { ObjectsByKind } from '../sources/specs.ts';
import type { Kind } from '../sources/types.ts';
import { type ReadAuthorizationPolicy, readAuthorizationPolicy } from './authorization-policy.ts';
import { type ReadDestinationRule, readDestinationRule } from './destination-rule.ts';
import { type ReadSlice, readSlice } from './endpoint-slice.ts';
import { type ReadHttpRoute, readHttpRoute } from './http-route.ts';
import { type ReadPeerAuthentication, readPeerAuthentication } from './peer-authentication.ts';
import { perList, perObject, staged } from './remember.ts';
import { type ReadService, readService } from './service.ts';
import { type ReadVirtualService, readVirtualService } from './virtual-service.ts';
import { type ReadPod, readPod } from './workload.ts';

/** What the store shows: every object of a kind, oldest first, then by name, then by namespace. */
export type ObjectView = { readonly list: <K extends Kind>(kind: K) => readonly ObjectsByKind[K][] };

/** Every object by itself, each read once in its life, in the order of the view. */
export type ReadObjects = {
  readonly services: readonly ReadService[];
  readonly pods: readonly ReadPod[];
  readonly slices: readonly ReadSlice[];
  readonly httpRoutes: readonly ReadHttpRoute[];
  readonly virtualServices: readonly ReadVirtualService[];
  readonly destinationRules: readonly ReadDestinationRule[];
  readonly peerAuthentications: readonly ReadPeerAuthentication[];
  readonly authorizationPolicies: readonly ReadAuthorizationPolicy[];
};

/** A kind is one line here and one file beside. */
export function createReader(settings: MeshSettings): (view: ObjectView) => ReadObjects {
  const services = listing((object: ObjectsByKind['Service']) => readService(object, settings));
  const pods = listing((object: ObjectsByKind['Pod']) => readPod(object, settings));
  const living = perList((objects: readonly ObjectsByKind['Pod'][]) =>
    pods(objects).filter((pod) => pod !== undefined),
  );
  const slices = listing((object: ObjectsByKind['EndpointSlice']) => readSlice(object));
  const httpRoutes = listing((object: ObjectsByKind['HTTPRoute']) => readHttpRoute(object, settings));
  const virtualServices = listing((object: ObjectsByKind['VirtualService']) =>
    readVirtualService(object, settings),
  );
  const destinationRules = listing((object: ObjectsByKind['DestinationRule']) =>
    readDestinationRule(object, settings),
  );
  const peers = listing((object: ObjectsByKind['PeerAuthentication']) =>
    readPeerAuthentication(object, settings),
  );
  const policies = listing((object: ObjectsByKind['AuthorizationPolicy']) => readAuthorizationPolicy(object));
  return (view) => ({
    services: services(view.list('Service')),
    pods: living(view.list('Pod')),
    slices: slices(view.list('EndpointSlice')),
    httpRoutes: httpRoutes(view.list('HTTPRoute')),
    virtualServices: virtualServices(view.list('VirtualService')),
    destinationRules: destinationRules(view.list('DestinationRule')),
    peerAuthentications: peers(view.list('PeerAuthentication')),
    authorizationPolicies: policies(view.list('AuthorizationPolicy')),
  });
}

function listing<O extends object, V>(read: (object: O) => V): (objects: readonly O[]) => readonly V[] {
  const once = perObject(read);
  const all = staged(({ objects }: { readonly objects: readonly O[] }) => objects.map(once));
  return (objects) => all({ objects });
}
