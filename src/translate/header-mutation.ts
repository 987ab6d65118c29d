import {
  HeaderValueOption_HeaderAppendAction as AppendAction,
  type HeaderValueOptionSchema,
} from '../../gen/envoy/config/core/v3/base_pb.ts';
import type { Header, HeaderMutation } from '../model/traffic.ts';
import type { Init } from './envoy/init.ts';

type Option = Init<typeof HeaderValueOptionSchema>;

/** What Envoy takes on a route, and under the same names on a weighted cluster. It removes, then sets, then adds. */
export type RequestMutation = {
  requestHeadersToAdd: Option[];
  requestHeadersToRemove: string[];
};
export type ResponseMutation = {
  responseHeadersToAdd: Option[];
  responseHeadersToRemove: string[];
};

export function requestMutation(mutation: HeaderMutation): RequestMutation {
  return {
    requestHeadersToAdd: toAdd({ ...mutation, set: mutation.set.filter(({ name }) => !isHost(name)) }),
    requestHeadersToRemove: mutation.remove.map(changeable),
  };
}

export function responseMutation(mutation: HeaderMutation): ResponseMutation {
  return { responseHeadersToAdd: toAdd(mutation), responseHeadersToRemove: mutation.remove.map(changeable) };
}

/** Envoy refuses a header rule for Host, and has a field for it. */
export function hostSetBy(mutation: HeaderMutation): string | undefined {
  return mutation.set.find(({ name }) => isHost(name))?.value;
}

export function isEmptyMutation({ set, add, remove }: HeaderMutation): boolean {
  return set.length + add.length + remove.length === 0;
}

/** Envoy refuses a whole route configuration for one rule about these. */
function changeable(name: string): string {
  if (isHost(name) || name.startsWith(':'))
    throw new Error(`header "${name}" cannot be changed by a header rule`);
  return name;
}

function isHost(name: string): boolean {
  return name === 'host' || name === ':authority';
}

function toAdd({ set, add }: HeaderMutation): Option[] {
  return [
    ...set.map((header) => option(header, AppendAction.OVERWRITE_IF_EXISTS_OR_ADD)),
    ...add.map((header) => option(header, AppendAction.APPEND_IF_EXISTS_OR_ADD)),
  ];
}

function option({ name, value }: Header, appendAction: AppendAction): Option {
  return {
    // A value is a format string to Envoy, where `%` starts an operator.
    header: { key: changeable(name), value: value.replaceAll('%', '%%') },
    appendAction,
    keepEmptyValue: true,
  };
}
