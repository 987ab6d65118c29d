import type { RegexMatchAndSubstituteSchema } from '../../gen/envoy/type/matcher/v3/regex_pb.ts';
import type { PathMatch, Rewrite } from '../model/traffic.ts';
import type { Init } from './envoy/init.ts';
import { quoteRegex, quoteSubstitution } from './envoy/string-matcher.ts';

/** Envoy has a field for a plain prefix and one for everything else; a route takes one of them. */
export type PathRewrite =
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'regex'; readonly value: Init<typeof RegexMatchAndSubstituteSchema> };

/**
 * How a matched path becomes the new one; the query stays. A prefix can only be replaced where one was matched: with
 * an exact path or a regex the whole path is.
 */
export function pathRewrite(match: PathMatch, rewrite: NonNullable<Rewrite['path']>): PathRewrite {
  if (rewrite.kind === 'full' || match.kind === 'exact' || match.kind === 'regex') {
    return { kind: 'regex', value: substitute('^/.*$', rewrite.value) };
  }
  return match.kind === 'prefix' ? rawPrefix(match, rewrite.value) : elementPrefix(match, rewrite.value);
}

/** Istio's: text for text. */
function rawPrefix(match: PathMatch, replacement: string): PathRewrite {
  return replacement === '' ? withoutPrefix(match) : { kind: 'prefix', value: replacement };
}

/** Gateway API's: path elements for path elements, so that `/a/x` under `/a` → `/b/` is `/b/x`. */
function elementPrefix(match: PathMatch, replacement: string): PathRewrite {
  const elements = replacement.replace(/\/+$/, '');
  if (elements === '') return withoutPrefix(match);
  // The root is matched with its slash, so the slash must be given back.
  const atRoot = match.value.replace(/\/+$/, '') === '';
  return { kind: 'prefix', value: atRoot ? `${elements}/` : elements };
}

/** The prefix goes and one slash stays; Envoy's own field would leave none, or two. */
function withoutPrefix(match: PathMatch): PathRewrite {
  const prefix = quoteRegex(match.value.replace(/\/+$/, ''));
  return { kind: 'regex', value: substitute(`${match.ignoreCase ? '(?i)' : ''}^${prefix}/*`, '/') };
}

function substitute(regex: string, replacement: string): Init<typeof RegexMatchAndSubstituteSchema> {
  return { pattern: { regex }, substitution: quoteSubstitution(replacement) };
}
