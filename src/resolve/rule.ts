import type { Origin } from '../model/object-ref.ts';
import { type ProblemCode, problemCodes } from '../model/problem.ts';
import type { HeaderMutation, HttpRule, Redirect, Rewrite } from '../model/traffic.ts';

/**
 * A rule as its own object says it, before anything is known of the services it names: what HTTPRoute and
 * VirtualService have in common. One for each match.
 */
export type RuleDraft = Omit<HttpRule, 'action'> & { readonly action: ActionDraft };

export type ActionDraft =
  | { readonly kind: 'forward'; readonly backends: readonly BackendDraft[]; readonly rewrite?: Rewrite }
  | { readonly kind: 'redirect'; readonly redirect: RedirectDraft }
  | { readonly kind: 'respond'; readonly status: number; readonly body: string };

/** `servicePort`: to the port that the client addressed, which only the place of use knows. */
export type RedirectDraft = Redirect & { readonly servicePort: boolean };

export type BackendDraft =
  | (ReferenceDraft & { readonly kind: 'reference' })
  /** The service that the rule is attached to, on the port that the client addressed. */
  | { readonly kind: 'parent'; readonly weight: number }
  | { readonly kind: 'invalid'; readonly weight: number; readonly message: string };

/** A destination by name. Without a port: the service's only one, else the one that the client addressed. */
export type ReferenceDraft = {
  readonly host: string;
  /** The name as the user wrote it, for messages. */
  readonly shown: string;
  readonly port?: number;
  readonly subset: string;
  readonly weight: number;
  readonly requestHeaders: HeaderMutation;
  readonly responseHeaders: HeaderMutation;
  readonly origin: Origin;
};

/** What a rule does that cannot do what it says: requests fail, loudly, rather than go where nobody meant. */
export function refuse(code: ProblemCode): ActionDraft {
  return { kind: 'respond', status: 500, body: `${code}: ${problemCodes[code]}\n` };
}
