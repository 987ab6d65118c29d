import type { Service, ServicePort } from '../model/service.ts';
import { type Backend, type HttpAction, type HttpRule, noHeaders, type Redirect } from '../model/traffic.ts';
import type { ClientWorld } from './client-world.ts';
import type { createReports } from './problems.ts';
import type { BackendDraft, RedirectDraft, ReferenceDraft, RuleDraft } from './rule.ts';

/** Where a rule is used: on which port of which service, seen by which client. */
export type Place = {
  readonly service: Service;
  readonly port: ServicePort;
  readonly world: ClientWorld;
  readonly reports: ReturnType<typeof createReports>;
};

/** The rule with its names looked up. A backend that is not there keeps its share, and answers 500 for it. */
export function placeRule(draft: RuleDraft, place: Place): HttpRule {
  return { ...draft, action: placeAction(draft, place) };
}

function placeAction({ action }: RuleDraft, place: Place): HttpAction {
  switch (action.kind) {
    case 'forward':
      return { ...action, backends: action.backends.map((backend) => placeBackend(backend, place)) };
    case 'redirect':
      return { kind: 'redirect', redirect: placeRedirect(action.redirect, place.port) };
    case 'respond':
      return action;
    default:
      return action satisfies never;
  }
}

/** Port 80 goes without saying: requests inside the mesh leave the app as http. */
function placeRedirect({ servicePort, ...redirect }: RedirectDraft, port: ServicePort): Redirect {
  return servicePort && port.number !== 80 ? { ...redirect, port: port.number } : redirect;
}

export function placeBackend(draft: BackendDraft, place: Place): Backend {
  switch (draft.kind) {
    case 'reference':
      return placeReference(draft, place);
    case 'parent':
      return toOwn(place, draft.weight);
    case 'invalid':
      return draft;
    default:
      return draft satisfies never;
  }
}

/** The service's own endpoints, as it would be without any rule. */
export function toOwn({ service, port }: Pick<Place, 'service' | 'port'>, weight: number): Backend {
  return {
    kind: 'destination',
    destination: { service: service.key, host: service.host, port: port.number, subset: '' },
    weight,
    requestHeaders: noHeaders,
    responseHeaders: noHeaders,
  };
}

function placeReference(draft: ReferenceDraft, place: Place): Backend {
  const { world } = place;
  const service = world.service(draft.host);
  if (!service) return noService(draft, place);
  if (world.hidden(draft.host)) return hiddenService(draft, place);
  const port = findPort(draft, service, place.port);
  if (port === undefined) return noPort(draft, service, place);
  if (draft.subset !== '') {
    const rule = world.destinationRule(draft.host);
    const names = rule?.subsets.map(({ name }) => name) ?? [];
    if (!names.includes(draft.subset)) return noSubset(draft, names, place);
  }
  const { subset, weight, requestHeaders, responseHeaders } = draft;
  const destination = { service: service.key, host: service.host, port, subset };
  return { kind: 'destination', destination, weight, requestHeaders, responseHeaders };
}

function findPort(draft: ReferenceDraft, { ports }: Service, asked: ServicePort): number | undefined {
  const only = ports.length === 1 ? ports[0]?.number : asked.number;
  const wanted = draft.port ?? only;
  return ports.find(({ number }) => number === wanted)?.number;
}

type Fault = {
  readonly code: 'WEFT-1201' | 'WEFT-1202' | 'WEFT-1203';
  readonly message: string;
  readonly fix: string;
};

function invalid(draft: ReferenceDraft, place: Place, { code, message, fix }: Fault): Backend {
  const { ref, field } = draft.origin;
  place.reports.on(ref).error(code, { field, message, fix });
  return { kind: 'invalid', weight: draft.weight, message };
}

function noService(draft: ReferenceDraft, place: Place): Backend {
  const message = `backend ${draft.shown} not found: ${place.world.missing(draft.host)}`;
  return invalid(draft, place, {
    code: 'WEFT-1201',
    message,
    fix: 'name a Service that exists, or create it; until then its share of requests is answered with 500',
  });
}

function hiddenService(draft: ReferenceDraft, place: Place): Backend {
  const message = `backend ${draft.shown} not found: the Service exists, but its annotation networking.istio.io/exportTo hides it from some of the clients of this rule`;
  return invalid(draft, place, {
    code: 'WEFT-1201',
    message,
    fix: 'add the namespaces of the clients to the annotation of the Service',
  });
}

function noPort(draft: ReferenceDraft, { ports }: Service, place: Place): Backend {
  const numbers = ports.map(({ number }) => number);
  const wanted = draft.port ?? place.port.number;
  const have = numbers.length === 0 ? 'it has no TCP port at all' : `ports are ${numbers.join(', ')}`;
  return invalid(draft, place, {
    code: 'WEFT-1202',
    message: `backend ${draft.shown} not found: the Service exists but has no port ${wanted}; ${have}`,
    fix: numbers.length === 0 ? 'add a port to the Service' : `use one of its ports: ${numbers.join(', ')}`,
  });
}

function noSubset(draft: ReferenceDraft, names: readonly string[], place: Place): Backend {
  const { world } = place;
  const have =
    names.length > 0
      ? `its subsets are ${names.join(', ')}`
      : world.destinationRule(draft.host)
        ? 'the DestinationRule that applies has no subsets'
        : 'no DestinationRule applies to it';
  return invalid(draft, place, {
    code: 'WEFT-1203',
    message: `subset \`${draft.subset}\` of ${draft.shown} not found: ${have}`,
    fix: `add the subset \`${draft.subset}\` to a DestinationRule for ${draft.host} that the client sees; one in the client's own namespace hides all others`,
  });
}
