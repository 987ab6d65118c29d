import type { ProblemCode } from '../model/problem.ts';

/** Why it matters, and what to do: the manual's text for each code. */
export const codeTexts: Readonly<Record<ProblemCode, { readonly why: string; readonly fix: string }>> = {
  'WEFT-1001': {
    why: 'Nothing of the file can be read from the broken place on. Objects that it defined before stay as they were.',
    fix: 'Correct the line and column named; most often it is an indent, a missing space after a colon or an open quote.',
  },
  'WEFT-1002': {
    why: 'Each YAML document must be one Kubernetes object, with apiVersion, kind and metadata.name.',
    fix: 'Add what is missing, or move the file out of the mesh directory if it is not for the mesh.',
  },
  'WEFT-1003': {
    why: 'The mesh does not read this kind, or not in this version; the object has no effect.',
    fix: 'Write the apiVersion that the message names. The kinds are listed by: weft get all.',
  },
  'WEFT-1004': {
    why: 'An unknown field is most often a typing error, and would be ignored in silence by a laxer reader.',
    fix: 'Use the name that the message suggests, or remove the field.',
  },
  'WEFT-1005': {
    why: 'The value cannot mean anything here, so the object is not accepted; its last good form stays live.',
    fix: 'Write a value of the type and within the bounds that the message names.',
  },
  'WEFT-1006': {
    why: 'Two documents define the same object and only one can be true. The first by file name and line is taken.',
    fix: 'Remove one of the two places named.',
  },
  'WEFT-1007': {
    why: 'The file could not be read whole. Objects that it defined before stay as they were.',
    fix: 'Give the mesh permission to read the file, or split it.',
  },
  'WEFT-1008': {
    why: 'Names become parts of DNS names and identities, which allow few letters.',
    fix: 'Use lower-case letters, digits and dashes, and begin and end with a letter or digit.',
  },
  'WEFT-1009': {
    why: 'The document is a Kubernetes object of a kind that means nothing to the mesh. It is left alone.',
    fix: 'Nothing, if it is meant for something else; otherwise use one of the kinds in: weft get --help.',
  },
  'WEFT-1101': {
    why: 'The field is valid but this version does nothing with it. Ignoring it could make traffic less safe than you think.',
    fix: 'Remove the field, or do the same by another one that the message names.',
  },
  'WEFT-1201': {
    why: 'The rule names a Service that does not exist. Its share of the traffic is answered with 500, so nothing shifts in silence.',
    fix: 'Correct the name or namespace, or create the Service: weft get services -A.',
  },
  'WEFT-1202': {
    why: 'The Service exists but has no such port. The rule share is answered with 500.',
    fix: 'Use a port from the spec.ports of the Service; not its targetPort.',
  },
  'WEFT-1203': {
    why: 'A route names a subset that no DestinationRule for that host defines. Its share is answered with 500.',
    fix: 'Add the subset to the DestinationRule of the host, or correct the name: weft get dr -A -o yaml.',
  },
  'WEFT-1204': {
    why: 'Only Services can be referred to here.',
    fix: 'Refer to a Service, with group "" and kind Service.',
  },
  'WEFT-1205': {
    why: 'With all weights 0 no backend may be chosen; the rule answers 500.',
    fix: 'Give at least one backend a weight above 0.',
  },
  'WEFT-1206': {
    why: 'Envoy speaks RE2: no look-around, no back-references.',
    fix: 'Write the expression in RE2 syntax; it must match the whole value.',
  },
  'WEFT-1207': {
    why: 'An older object already says something else about the same traffic, and the older one wins.',
    fix: 'Merge the two objects, or narrow one.',
  },
  'WEFT-1208': {
    why: 'A rule before it matches everything that this one would match; it never acts.',
    fix: 'Move the narrower rule first, or remove this one.',
  },
  'WEFT-1209': {
    why: 'Durations are written 1h, 1m, 1s or 1ms; numbers must be whole where the message says so.',
    fix: 'Write the value as the message shows.',
  },
  'WEFT-1210': {
    why: 'The selector matches no workload, so the object does nothing.',
    fix: 'Compare its labels with those of the pods: weft get pods -A -o yaml.',
  },
  'WEFT-1211': {
    why: 'A TCP port carries bytes that the mesh does not read, so a rule about paths, methods or headers cannot be kept. A DENY then denies, an ALLOW then does not allow.',
    fix: 'Declare the port as HTTP (name it http-…, or set appProtocol), or drop the HTTP part of the rule.',
  },
  'WEFT-1212': {
    why: 'A pattern that can match nothing would leave a policy weaker or stricter than it reads.',
    fix: 'Principals look like cluster.local/ns/NAMESPACE/sa/ACCOUNT, addresses like 10.0.0.0/8; * may stand at one end only.',
  },
  'WEFT-1213': {
    why: 'The command of the workload could not be started; its Service has one endpoint fewer.',
    fix: 'Correct the annotation weft.dev/run of the Deployment: weft logs WORKLOAD.',
  },
  'WEFT-1301': {
    why: 'An Envoy refused what the object was translated to, and keeps what it had. Other proxies are not touched.',
    fix: 'Read what the proxy says: weft get KIND NAME -o yaml; then report it, for the mesh should have known.',
  },
  'WEFT-1302': {
    why: 'The translation of this object failed in Weft itself. Proxies keep what they had of it.',
    fix: 'Report it with the object: weft get KIND NAME -o yaml.',
  },
};
