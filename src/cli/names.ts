/** One object as a command line names it, in every form that tables and `-o name` print. */
import type { ObjectRef } from '../model/object-ref.ts';
import { type Call, namespaceOption } from './call.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import { kindWord } from './kinds.ts';

export type Named = {
  /** As typed; a kind or `all`. */
  readonly word: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
};

/** `svc web`, `svc campus/web`, `svc/web`, `service/campus/web`; the namespace else by `-n`. */
export function namedObject(call: Call): Named {
  const [first = '', second] = call.args;
  const [word = '', ...rest] = first.split('/');
  const path = second?.split('/') ?? rest;
  const [name, inPath, ...more] = path.toReversed();
  const option = namespaceOption(call);
  if (more.length > 0 || (second !== undefined && rest.length > 0)) throw tooMany(call);
  if (inPath !== undefined && option !== undefined && inPath !== option) throw twoNamespaces(inPath, option);
  return { word, name, namespace: inPath ?? option };
}

/** What `-o name` prints. */
export function objectName({
  kind,
  namespace,
  name,
}: Pick<ObjectRef, 'kind' | 'namespace' | 'name'>): string {
  return [kindWord(kind), namespace, name].filter((part) => part !== '').join('/');
}

function tooMany({ args }: Call): CommandFailure {
  return new CommandFailure({
    exitCode: exitCodes.usage,
    message: `"${args.join(' ')}" is more than a kind, a namespace and a name`,
    next: 'write KIND NAMESPACE/NAME, or KIND NAME with -n NAMESPACE',
  });
}

function twoNamespaces(one: string, other: string): CommandFailure {
  return new CommandFailure({
    exitCode: exitCodes.usage,
    message: `two namespaces: ${one} and ${other}`,
    next: 'leave one of them out',
  });
}
