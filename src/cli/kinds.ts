import { type Kind, kinds } from '../sources/types.ts';
import { didYouMean } from './closest.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';

/** What people type besides the kind itself: the names that `kubectl` knows. */
const shortNames: Readonly<Record<Kind, readonly string[]>> = {
  Namespace: ['namespaces', 'ns'],
  ServiceAccount: ['serviceaccounts', 'sa'],
  Service: ['services', 'svc'],
  Pod: ['pods', 'po'],
  Deployment: ['deployments', 'deploy'],
  EndpointSlice: ['endpointslices', 'eps'],
  HTTPRoute: ['httproutes', 'route', 'routes'],
  VirtualService: ['virtualservices', 'vs'],
  DestinationRule: ['destinationrules', 'dr'],
  PeerAuthentication: ['peerauthentications', 'pa'],
  AuthorizationPolicy: ['authorizationpolicies', 'ap'],
};

const byName: ReadonlyMap<string, Kind> = new Map(
  // The keys of `kinds` are what `Kind` is made from.
  (Object.keys(kinds) as Kind[]).flatMap((kind) =>
    [kind.toLowerCase(), ...shortNames[kind]].map((name): [string, Kind] => [name, kind]),
  ),
);

/** Every name of every kind, for completion and suggestions. */
export const kindNames: readonly string[] = [...byName.keys()];

/** Case does not matter; `service.v1`-like suffixes of kubectl (`httproutes.gateway.networking.k8s.io`) are taken too. */
export function parseKind(text: string): Kind {
  const kind = byName.get(text.toLowerCase().split('.', 1)[0] ?? '');
  if (kind) return kind;
  throw new CommandFailure({
    exitCode: exitCodes.usage,
    message: `no kind is called "${text}"${didYouMean(text, kindNames)}`,
    why: `kinds are ${Object.keys(kinds).join(', ')}`,
    next: 'weft get all',
  });
}

/** `HTTPRoute` to `httproute`, as file names and `-o name` write it. */
export function kindWord(kind: string): string {
  return kind.toLowerCase();
}
