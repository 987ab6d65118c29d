import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseObjects } from './sources.ts';

/** A wrong input, and what is said of it: code and place, message, fix. */
type Case = { readonly text: string; readonly says: readonly (readonly [string, string, string])[] };

const service = (spec: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ledger, namespace: campus}\nspec: ${spec}\n`;
const named = (metadata: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: ${metadata}\nspec: {ports: [{port: 80}]}\n`;
const httpRoute = (rule: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: pay, namespace: campus}\nspec:\n  rules:\n    - ${rule}\n`;
const virtualService = (http: string): string =>
  `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: pay, namespace: campus}\nspec:\n  hosts: [pay]\n  http:\n    - ${http}\n`;
const policy = (spec: string): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: pay, namespace: campus}\nspec: ${spec}\n`;
const bare = (apiVersion: string, kind: string): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}\n`;
const deployment = (spec: string): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: ${spec}\n`;

const cases: Readonly<Record<string, Case>> = {
  'a port in words': {
    text: service('{ports: [{port: eighty}]}'),
    says: [
      [
        'WEFT-1005 4:23',
        'Service campus/ledger: spec.ports[0].port must be an integer between 1 and 65535, got "eighty"',
        'write a number, such as port: 80',
      ],
    ],
  },
  'a port in quotes': {
    text: service('{ports: [{port: "80"}]}'),
    says: [
      [
        'WEFT-1005 4:23',
        'Service campus/ledger: spec.ports[0].port must be an integer between 1 and 65535, got "80"',
        'remove the quotes: port: 80',
      ],
    ],
  },
  'a port too high': {
    text: service('{ports: [{port: 65536}]}'),
    says: [
      [
        'WEFT-1005 4:23',
        'Service campus/ledger: spec.ports[0].port must be an integer between 1 and 65535, got 65536',
        'write port: 80',
      ],
    ],
  },
  'port zero': {
    text: service('{ports: [{port: 0}]}'),
    says: [
      [
        'WEFT-1005 4:23',
        'Service campus/ledger: spec.ports[0].port must be an integer between 1 and 65535, got 0',
        'write port: 80',
      ],
    ],
  },
  'half a port': {
    text: service('{ports: [{port: 80.5}]}'),
    says: [
      [
        'WEFT-1005 4:23',
        'Service campus/ledger: spec.ports[0].port must be an integer between 1 and 65535, got 80.5',
        'write a number, such as port: 80',
      ],
    ],
  },
  'a port of the wrong kind': {
    text: service('{ports: [{port: [80]}]}'),
    says: [
      [
        'WEFT-1005 4:23',
        'Service campus/ledger: spec.ports[0].port must be an integer between 1 and 65535, got a list',
        'write a number, such as port: 80',
      ],
    ],
  },
  'no port': {
    text: service('{ports: [{name: http}]}'),
    says: [['WEFT-1005 4:16', 'Service campus/ledger: spec.ports[0].port is required', 'add port: 80']],
  },
  'no ports at all': {
    text: service('{selector: {app: x}}'),
    says: [
      [
        'WEFT-1005 4:7',
        'Service campus/ledger: spec.ports is required',
        'add ports: [{name: http, port: 80}]',
      ],
    ],
  },
  'ports as a map': {
    text: service('{ports: {port: 80}}'),
    says: [
      [
        'WEFT-1005 4:15',
        'Service campus/ledger: spec.ports must be a list, got a map',
        'write a dash before each entry',
      ],
    ],
  },
  'an unknown field': {
    text: service('{prots: [], ports: [{port: 80}]}'),
    says: [
      [
        'WEFT-1004 4:8',
        'Service campus/ledger: spec.prots is not a known field; did you mean ports?',
        'write ports instead of prots',
      ],
    ],
  },
  'an unknown field far from any': {
    text: service('{zebra: 1, ports: [{port: 80}]}'),
    says: [['WEFT-1004 4:8', 'Service campus/ledger: spec.zebra is not a known field', 'remove it']],
  },
  'an inherited name as a field': {
    text: service('{constructor: 1, __proto__: 2, ports: [{port: 80}]}'),
    says: [
      ['WEFT-1004 4:8', 'Service campus/ledger: spec.constructor is not a known field', 'remove it'],
      ['WEFT-1004 4:24', 'Service campus/ledger: spec.__proto__ is not a known field', 'remove it'],
    ],
  },
  'a protocol in lower case': {
    text: service('{ports: [{port: 80, protocol: tcp}]}'),
    says: [
      [
        'WEFT-1005 4:37',
        'Service campus/ledger: spec.ports[0].protocol must be one of TCP, UDP, SCTP, got "tcp"',
        'write protocol: TCP',
      ],
    ],
  },
  'the same port twice': {
    text: service('{ports: [{port: 80, name: a}, {port: 80, name: b}]}'),
    says: [
      [
        'WEFT-1005 4:37',
        'Service campus/ledger: spec.ports[1] repeats port 80, protocol TCP of spec.ports[0]',
        'keep one of the two',
      ],
    ],
  },
  'the same port name twice': {
    text: service('{ports: [{port: 80, name: a}, {port: 81, name: a}]}'),
    says: [
      [
        'WEFT-1005 4:54',
        'Service campus/ledger: spec.ports[1].name repeats name a of spec.ports[0]',
        'keep one of the two',
      ],
    ],
  },
  'several ports without names': {
    text: service('{ports: [{port: 80, name: a}, {port: 81}]}'),
    says: [
      [
        'WEFT-1005 4:37',
        'Service campus/ledger: spec.ports[1].name is required when there are several ports',
        'add name: http',
      ],
    ],
  },
  'a bad target port': {
    text: service('{ports: [{port: 80, targetPort: 70000}]}'),
    says: [
      [
        'WEFT-1005 4:39',
        'Service campus/ledger: spec.ports[0].targetPort must be between 1 and 65535, got 70000',
        'write targetPort: 8080',
      ],
    ],
  },
  'a bad target port name': {
    text: service('{ports: [{port: 80, targetPort: Not_A_Port}]}'),
    says: [
      [
        'WEFT-1005 4:39',
        'Service campus/ledger: spec.ports[0].targetPort must be a port number, or a container port name of at most 15 lower-case letters, digits and dashes, got "Not_A_Port"',
        'write targetPort: 8080',
      ],
    ],
  },
  'a bad ClusterIP': {
    text: service('{clusterIP: 10.0.0, ports: [{port: 80}]}'),
    says: [
      [
        'WEFT-1005 4:19',
        'Service campus/ledger: spec.clusterIP must be an IP address or None, got "10.0.0"',
        'leave it out, and one is chosen',
      ],
    ],
  },
  'an ExternalName without name': {
    text: service('{type: ExternalName}'),
    says: [
      [
        'WEFT-1005 4:7',
        'Service campus/ledger: spec.externalName is required',
        'add externalName: api.example.com',
      ],
    ],
  },
  'a bad selector value': {
    text: service('{selector: {app: "a b"}, ports: [{port: 80}]}'),
    says: [
      [
        'WEFT-1005 4:24',
        'Service campus/ledger: spec.selector.app must be letters, digits, dashes, underscores and dots, starting and ending with a letter or digit, got "a b"',
        'write app: a-b',
      ],
    ],
  },
  'a label that is a number': {
    text: named('{name: ledger, labels: {version: 1}}'),
    says: [
      [
        'WEFT-1005 3:44',
        'Service default/ledger: metadata.labels.version must be a string, got 1',
        'put it in quotes: version: "1"',
      ],
    ],
  },
  'a bad label value': {
    text: named('{name: ledger, labels: {app: "a/b"}}'),
    says: [
      [
        'WEFT-1005 3:40',
        'Service default/ledger: metadata.labels.app must be letters, digits, dashes, underscores and dots, starting and ending with a letter or digit, got "a/b"',
        'write app: a-b',
      ],
    ],
  },
  'a bad label key': {
    text: named('{name: ledger, labels: {"-x/y/z": a}}'),
    says: [
      [
        'WEFT-1005 3:35',
        'Service default/ledger: metadata.labels[-x/y/z] is not a label key: name, or dns-prefix/name',
        'write a plain name',
      ],
    ],
  },
  'a name in upper case': {
    text: named('{name: Ledger}'),
    says: [
      [
        'WEFT-1008 3:18',
        'Service default/Ledger: metadata.name must be lower-case letters, digits and dashes, starting and ending with a letter or digit, got "Ledger"',
        'write name: ledger',
      ],
    ],
  },
  'a name with a dot': {
    text: named('{name: a.b}'),
    says: [
      [
        'WEFT-1008 3:18',
        'Service default/a.b: metadata.name must be lower-case letters, digits and dashes, starting and ending with a letter or digit, got "a.b"',
        'write name: a-b',
      ],
    ],
  },
  'a name of 300 characters': {
    text: named(`{name: ${'a'.repeat(300)}}`),
    says: [
      [
        'WEFT-1008 3:18',
        'Service default/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…: metadata.name must have at most 63 characters, has 300',
        'write name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
      ],
    ],
  },
  'a name with a line break': {
    text: named('{name: "a\\nb\\e[2J"}'),
    says: [
      [
        'WEFT-1008 3:18',
        'Service default/a\\u000ab\\u001b[2J: metadata.name must be lower-case letters, digits and dashes, starting and ending with a letter or digit, got "a\\u000ab\\u001b[2J"',
        'write name: a-b-2j',
      ],
    ],
  },
  'a bad namespace': {
    text: named('{name: ledger, namespace: Campus}'),
    says: [
      [
        'WEFT-1008 3:37',
        'Service Campus/ledger: metadata.namespace must be lower-case letters, digits and dashes, starting and ending with a letter or digit, got "Campus"',
        'write namespace: campus',
      ],
    ],
  },
  'no name': {
    text: named('{namespace: campus}'),
    says: [['WEFT-1008 3:11', 'a.yaml: metadata.name is required and must be a string', 'add name: my-name']],
  },
  'a generated name': {
    text: named('{generateName: x-}'),
    says: [
      [
        'WEFT-1008 3:11',
        'a.yaml: metadata.name is required: a directory cannot make names up from generateName',
        'add name: my-name',
      ],
    ],
  },
  'a name that is a number': {
    text: named('{name: 5}'),
    says: [['WEFT-1008 3:18', 'a.yaml: metadata.name is required and must be a string', 'add name: my-name']],
  },
  'no kind': {
    text: 'apiVersion: v1\nmetadata: {name: x}\n',
    says: [
      [
        'WEFT-1002 1:1',
        'a.yaml: the document is not a Kubernetes object: it has no kind',
        'start it with apiVersion, kind and metadata.name, or move the file elsewhere',
      ],
    ],
  },
  'no apiVersion': {
    text: 'kind: Service\nmetadata: {name: x}\n',
    says: [
      [
        'WEFT-1002 1:1',
        'a.yaml: the document is not a Kubernetes object: it has no apiVersion',
        'start it with apiVersion, kind and metadata.name, or move the file elsewhere',
      ],
    ],
  },
  'neither kind nor apiVersion': {
    text: 'services:\n  web: {}\n',
    says: [
      [
        'WEFT-1002 1:1',
        'a.yaml: the document is not a Kubernetes object: it has neither apiVersion nor kind',
        'start it with apiVersion, kind and metadata.name, or move the file elsewhere',
      ],
    ],
  },
  'a list for a document': {
    text: '- a\n- b\n',
    says: [
      [
        'WEFT-1002 1:1',
        'a.yaml: the document is not a Kubernetes object: it is a list',
        'start it with apiVersion, kind and metadata.name, or move the file elsewhere',
      ],
    ],
  },
  'plain words': {
    text: 'hello there\n',
    says: [
      [
        'WEFT-1002 1:1',
        'a.yaml: the document is not a Kubernetes object: it is "hello there"',
        'start it with apiVersion, kind and metadata.name, or move the file elsewhere',
      ],
    ],
  },
  'a kind with a slip': {
    text: bare('gateway.networking.k8s.io/v1', 'HTTPRout'),
    says: [
      [
        'WEFT-1003 2:7',
        'a.yaml: gateway.networking.k8s.io/v1 has no kind HTTPRout; did you mean HTTPRoute?',
        'write kind: HTTPRoute',
      ],
    ],
  },
  'a kind in lower case': {
    text: bare('v1', 'service'),
    says: [['WEFT-1003 2:7', 'a.yaml: v1 has no kind service; did you mean Service?', 'write kind: Service']],
  },
  'an unknown core kind': {
    text: bare('v1', 'Zebra'),
    says: [['WEFT-1003 2:7', 'a.yaml: v1 has no kind Zebra', 'write a kind of this API']],
  },
  'an unknown version': {
    text: bare('networking.istio.io/v2', 'VirtualService'),
    says: [
      [
        'WEFT-1003 1:13',
        'a.yaml: VirtualService has no version v2; it has v1, v1alpha3, v1beta1',
        'write apiVersion: networking.istio.io/v1',
      ],
    ],
  },
  'a kind in the wrong group': {
    text: bare('v1', 'Deployment'),
    says: [
      ['WEFT-1003 1:13', 'a.yaml: v1 has no Deployment; it is part of apps/v1', 'write apiVersion: apps/v1'],
    ],
  },
  'a group with a slip': {
    text: bare('networking.istoi.io/v1', 'VirtualService'),
    says: [
      [
        'WEFT-1003 1:13',
        'a.yaml: networking.istoi.io/v1 is no API that has a VirtualService; did you mean networking.istio.io?',
        'write apiVersion: networking.istio.io/v1',
      ],
    ],
  },
  'a mesh kind that is not read': {
    text: bare('networking.istio.io/v1', 'Sidecar'),
    says: [
      [
        'WEFT-1009 1:1',
        'Sidecar default/x: Weft does not read Sidecar (networking.istio.io), so it has no effect',
        'remove it, or say the same with HTTPRoute, VirtualService, DestinationRule, PeerAuthentication, AuthorizationPolicy',
      ],
    ],
  },
  'a mesh kind without a schema': {
    text: bare('networking.istio.io/v1alpha3', 'EnvoyFilter'),
    says: [
      [
        'WEFT-1009 1:1',
        'EnvoyFilter default/x: Weft does not read EnvoyFilter (networking.istio.io), so it has no effect',
        'remove it, or say the same with HTTPRoute, VirtualService, DestinationRule, PeerAuthentication, AuthorizationPolicy',
      ],
    ],
  },
  'a weight too high': {
    text: httpRoute('backendRefs: [{name: a, port: 80, weight: 1000001}]'),
    says: [
      [
        'WEFT-1005 6:49',
        'HTTPRoute campus/pay: spec.rules[0].backendRefs[0].weight must be an integer between 0 and 1000000, got 1000001',
        'write weight: 1',
      ],
    ],
  },
  'a negative weight': {
    text: httpRoute('backendRefs: [{name: a, port: 80, weight: -1}]'),
    says: [
      [
        'WEFT-1005 6:49',
        'HTTPRoute campus/pay: spec.rules[0].backendRefs[0].weight must be an integer between 0 and 1000000, got -1',
        'write weight: 1',
      ],
    ],
  },
  'a duration without unit': {
    text: httpRoute('timeouts: {request: 5}'),
    says: [
      [
        'WEFT-1005 6:27',
        'HTTPRoute campus/pay: spec.rules[0].timeouts.request must be a string, got 5',
        'write request: 10s',
      ],
    ],
  },
  'a duration with a bad unit': {
    text: httpRoute('timeouts: {request: 5x}'),
    says: [
      [
        'WEFT-1005 6:27',
        'HTTPRoute campus/pay: spec.rules[0].timeouts.request must be a duration such as 10s, 500ms or 1h30m, got "5x"',
        'write request: 10s',
      ],
    ],
  },
  'a path without slash': {
    text: httpRoute('matches: [{path: {type: Exact, value: foo}}]'),
    says: [
      [
        'WEFT-1005 6:24',
        "HTTPRoute campus/pay: spec.rules[0].matches[0].path breaks a rule: value must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']",
        'change it so that the rule holds',
      ],
    ],
  },
  'a path type with a slip': {
    text: httpRoute('matches: [{path: {type: Prefix, value: /}}]'),
    says: [
      [
        'WEFT-1005 6:31',
        'HTTPRoute campus/pay: spec.rules[0].matches[0].path.type must be one of Exact, PathPrefix, RegularExpression, got "Prefix"',
        'write one of these',
      ],
    ],
  },
  'a header value with an umlaut': {
    text: httpRoute(
      'filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaü"}]}}]',
    ),
    says: [
      [
        'WEFT-1005 6:94',
        'HTTPRoute campus/pay: spec.rules[0].filters[0].requestHeaderModifier.set[0].value must be printable ASCII with single spaces between words, got "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaü"',
        'write value: value',
      ],
    ],
  },
  'a backend without port': {
    text: httpRoute('backendRefs: [{name: a}]'),
    says: [
      [
        'WEFT-1005 6:21',
        'HTTPRoute campus/pay: spec.rules[0].backendRefs[0] breaks a rule: Must have port for Service reference',
        'change it so that the rule holds',
      ],
    ],
  },
  'a filter without its settings': {
    text: httpRoute('filters: [{type: RequestRedirect}]'),
    says: [
      [
        'WEFT-1005 6:17',
        'HTTPRoute campus/pay: spec.rules[0].filters[0] breaks a rule: filter.requestRedirect must be specified for RequestRedirect filter.type',
        'change it so that the rule holds',
      ],
    ],
  },
  'too many rules': {
    text: httpRoute(`name: a0\n${Array.from({ length: 16 }, (_, i) => `    - name: a${i + 1}`).join('\n')}`),
    says: [
      ['WEFT-1005 6:5', 'HTTPRoute campus/pay: spec.rules must have at most 16 items, has 17', 'leave out 1'],
    ],
  },
  'no spec where one is needed': {
    text: bare('gateway.networking.k8s.io/v1', 'HTTPRoute'),
    says: [['WEFT-1005 1:1', 'HTTPRoute default/x: spec is required', 'add spec: {…}']],
  },
  'an Istio duration without unit': {
    text: virtualService('timeout: "5"'),
    says: [
      [
        'WEFT-1005 7:16',
        'VirtualService campus/pay: spec.http[0].timeout must be a valid duration greater than 1ms, got "5"',
        'write a duration, such as timeout: 10s',
      ],
    ],
  },
  'two matches in one': {
    text: virtualService('match: [{uri: {exact: /a, prefix: /b}}]'),
    says: [
      [
        'WEFT-1005 7:21',
        'VirtualService campus/pay: spec.http[0].match[0].uri must have only one of exact, prefix, regex, has exact and prefix',
        'keep one of them',
      ],
    ],
  },
  'an empty fault': {
    text: virtualService('fault: {delay: {percentage: {value: high}}}'),
    says: [
      [
        'WEFT-1005 7:43',
        'VirtualService campus/pay: spec.http[0].fault.delay.percentage.value must be a number, got "high"',
        'write a number, such as value: 1',
      ],
    ],
  },
  'a null list item': {
    text: virtualService('match: [null]'),
    says: [
      [
        'WEFT-1005 7:15',
        'VirtualService campus/pay: spec.http[0].match[0] must be a map, got null',
        'write its fields below it, indented',
      ],
    ],
  },
  'an action with a slip': {
    text: policy('{action: ALOW}'),
    says: [
      [
        'WEFT-1005 4:16',
        'AuthorizationPolicy campus/pay: spec.action must be one of ALLOW, DENY, AUDIT, CUSTOM, got "ALOW"',
        'write action: ALLOW',
      ],
    ],
  },
  'a selector and a target': {
    text: policy('{selector: {matchLabels: {a: b}}, targetRefs: [{kind: Service, name: a}]}'),
    says: [
      [
        'WEFT-1005 4:7',
        'AuthorizationPolicy campus/pay: spec breaks a rule: only one of targetRefs or selector can be set',
        'change it so that the rule holds',
      ],
    ],
  },
  'an empty from': {
    text: policy('{rules: [{from: , to: [{operation: {ports: ["80"]}}]}]}'),
    says: [
      [
        'WEFT-1005 4:17',
        'AuthorizationPolicy campus/pay: spec.rules[0].from is empty, which counts as not written',
        'give it a value, or remove it',
      ],
    ],
  },
  'a port as a number where text is wanted': {
    text: policy('{rules: [{to: [{operation: {ports: [80]}}]}]}'),
    says: [
      [
        'WEFT-1005 4:43',
        'AuthorizationPolicy campus/pay: spec.rules[0].to[0].operation.ports[0] must be a string, got 80',
        'put it in quotes: - "80"',
      ],
    ],
  },
  'port-level mTLS without selector': {
    text: 'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default}\nspec: {portLevelMtls: {8080: {mode: STRICT}}}\n',
    says: [
      [
        'WEFT-1005 4:7',
        'PeerAuthentication default/default: spec breaks a rule: portLevelMtls requires selector',
        'change it so that the rule holds',
      ],
    ],
  },
  'a selector that the template does not meet': {
    text: deployment(
      '{selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: wbe}}, spec: {containers: [{name: app}]}}}',
    ),
    says: [
      [
        'WEFT-1005 4:75',
        'Deployment default/web: spec.template.metadata.labels must have app: web, which spec.selector asks for',
        'add app: web',
      ],
    ],
  },
  'negative replicas': {
    text: deployment(
      '{replicas: -1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: app}]}}}',
    ),
    says: [
      [
        'WEFT-1005 4:18',
        'Deployment default/web: spec.replicas must be an integer of at least 0, got -1',
        'write replicas: 1',
      ],
    ],
  },
  'an address of the wrong family': {
    text: 'apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web}\naddressType: IPv4\nendpoints: [{addresses: ["::1"]}]\nports: []\n',
    says: [
      [
        'WEFT-1005 5:26',
        'EndpointSlice default/web: endpoints[0].addresses[0] must be an IPv4 address, got "::1"',
        'write a bare address, without port or zone',
      ],
    ],
  },
  'an item of a list': {
    text: `apiVersion: v1\nkind: List\nitems:\n- ${service('{ports: [{port: 0}]}').trim().replaceAll('\n', '\n  ')}\n`,
    says: [
      [
        'WEFT-1005 7:25',
        'Service campus/ledger: spec.ports[0].port must be an integer between 1 and 65535, got 0',
        'write port: 80',
      ],
    ],
  },
  'an unclosed list': {
    text: 'a: [1, 2\nb: c\n',
    says: [
      [
        'WEFT-1001 2:1',
        'a.yaml is not YAML: flow sequence in block collection must be sufficiently indented and end with a ]',
        'line it up with its neighbours',
      ],
    ],
  },
  'a tab': {
    text: 'a:\n\tb: c\n',
    says: [
      [
        'WEFT-1001 2:1',
        'a.yaml is not YAML: tabs are not allowed as indentation',
        'indent with spaces; YAML has no tabs there',
      ],
    ],
  },
  'a key twice': {
    text: 'apiVersion: v1\nkind: Service\nkind: Pod\n',
    says: [['WEFT-1001 3:1', 'a.yaml is not YAML: the key kind is there twice', 'keep one of the two']],
  },
  'a map as a key': {
    text: '{a: b}: c\n',
    says: [
      [
        'WEFT-1001 1:1',
        'a.yaml is not YAML: a key must be plain text',
        'write a word before the colon; render templates with {{ }} first',
      ],
    ],
  },
  'an unclosed quote': {
    text: 'a: "b\n',
    says: [['WEFT-1001 2:1', 'a.yaml is not YAML: missing closing "quote', 'add what is missing']],
  },
  'a bad indent': {
    text: 'a:\n    b: c\n  d: e\n',
    says: [
      [
        'WEFT-1001 3:1',
        'a.yaml is not YAML: all mapping items must start at the same column',
        'line it up with its neighbours',
      ],
    ],
  },
  'an alias without anchor': {
    text: 'a: *b\n',
    says: [['WEFT-1001 1:4', 'a.yaml is not YAML: *b has no anchor before it', 'add &b']],
  },
  'a bomb of aliases': {
    text: 'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n',
    says: [
      [
        'WEFT-1001 1:18',
        'a.yaml is not YAML: its aliases expand to more than 10000 values',
        'write the values out, or split the file',
      ],
    ],
  },
  'an alias to itself': {
    text: 'a: &a [*a]\n',
    says: [['WEFT-1001 1:7', 'a.yaml is not YAML: it is nested too deeply', 'nest at most 100 levels']],
  },
  'a merge of no map': {
    text: 'a: {<<: 5}\n',
    says: [['WEFT-1001 1:5', 'a.yaml is not YAML: << must merge a map', 'write <<: *anchor-of-a-map']],
  },
  'a hundred and one levels': {
    text: `${'['.repeat(101)}${']'.repeat(101)}\n`,
    says: [
      [
        'WEFT-1002 1:1',
        'a.yaml: the document is not a Kubernetes object: it is a list',
        'start it with apiVersion, kind and metadata.name, or move the file elsewhere',
      ],
    ],
  },
  'ten thousand levels': {
    text: `${'['.repeat(10000)}${']'.repeat(10000)}\n`,
    says: [['WEFT-1001 1:1', 'a.yaml is not YAML: it is nested too deeply', 'nest at most 100 levels']],
  },
};

describe('a bad input', () => {
  for (const [name, { text, says }] of Object.entries(cases)) {
    it(name, () => {
      const { problems } = parseObjects(text, 'a.yaml');
      const said = problems.map(({ code, location, message, fix }) => [
        `${code} ${location?.line}:${location?.column}`,
        message,
        fix,
      ]);
      assert.deepEqual(said, says);
    });
  }
});
