/** Every command, in the order of the help. What a command does is loaded only when it runs. */
import type { Command } from './call.ts';

export type OptionSpec = {
  readonly flags: string;
  readonly text: string;
  readonly default?: string;
  readonly choices?: readonly string[];
};

/** What completion offers in an argument's place. */
export type Completes = 'kind' | 'name' | 'workload' | 'story' | 'code' | 'topic';

export type ArgumentSpec = {
  /** `<x>` must be given, `[x]` may. */
  readonly name: string;
  readonly text: string;
  readonly choices?: readonly string[];
  readonly completes?: Completes;
};

export type CommandSpec = {
  /** One or two words. */
  readonly name: string;
  readonly group: string;
  readonly summary: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  readonly examples: readonly string[];
  readonly load: () => Promise<Command>;
};

const dir: OptionSpec = {
  flags: '--dir <dir>',
  text:
    'directory of the mesh; else WEFT_DIR, else a mesh here, above or directly below, else the only one on this ' +
    'machine, which is read but not changed',
};
const output: OptionSpec = {
  flags: '-o, --output <format>',
  text: 'table, wide, json, yaml or name',
  default: 'table',
};
const namespace: OptionSpec = { flags: '-n, --namespace <name>', text: 'only in this namespace' };
const everywhere: OptionSpec = {
  flags: '-A, --all-namespaces',
  text: 'in all namespaces (so it is without -n)',
};
const timeout = (text: string, value: string): OptionSpec => ({
  flags: '--timeout <time>',
  text,
  default: value,
});
const file: OptionSpec = { flags: '-f, --filename <file>', text: 'YAML file, or - for standard input' };
const dryRun: OptionSpec = { flags: '--dry-run', text: 'say what would be done, and do nothing' };
const noWait: OptionSpec = { flags: '--no-wait', text: 'do not wait for the proxies' };
const workload: ArgumentSpec = {
  name: '<workload>',
  text: 'namespace/pod, a pod, or what owns it',
  completes: 'workload',
};

export const proxyConfigParts = [
  'clusters',
  'listeners',
  'routes',
  'endpoints',
  'secrets',
  'bootstrap',
  'all',
] as const;

export const shells = ['bash', 'zsh', 'fish'] as const;

export const commands: readonly CommandSpec[] = [
  {
    name: 'up',
    group: 'Life cycle',
    summary: 'run a mesh from a directory of Kubernetes YAML, until Ctrl-C',
    arguments: [{ name: '[dir]', text: 'directory of the YAML; here when not given' }],
    options: [
      { flags: '--dir <dir>', text: 'the same, as an option' },
      { flags: '--demo', text: 'run Campus Pay, the demo' },
      { flags: '--shop-port <port>', text: 'where the demo shop listens (else 15080, or the next free)' },
      { flags: '--metrics-port <port>', text: 'where Prometheus asks (else 15090, or the next free)' },
      { flags: '--separate', text: 'control plane and node agent as processes of their own' },
      { flags: '--cert-ttl <time>', text: 'life of workload certificates', default: '1h' },
      {
        flags: '--outbound-policy <policy>',
        text: 'what becomes of calls to what no Service names',
        choices: ['ALLOW_ANY', 'REGISTRY_ONLY'],
        default: 'ALLOW_ANY',
      },
      { flags: '--envoy <path>', text: 'an Envoy binary (else ENVOY_PATH, PATH, the cache)' },
    ],
    examples: ['weft up --demo', 'weft up ./mesh'],
    load: async () => import('./commands/up.ts'),
  },
  {
    name: 'down',
    group: 'Life cycle',
    summary: 'end the mesh and everything it started',
    arguments: [],
    options: [dir, timeout('how long it may take to end by itself', '15s'), output],
    examples: ['weft down'],
    load: async () => import('./commands/down.ts'),
  },
  {
    name: 'status',
    group: 'Health',
    summary: 'the mesh on one screen',
    arguments: [],
    options: [
      dir,
      output,
      { flags: '--wait', text: 'until all proxies are in sync' },
      timeout('how long to wait', '60s'),
      { flags: '--window <time>', text: 'traffic of the last while', default: '30s' },
    ],
    examples: ['weft status', 'weft status --wait --timeout 2m'],
    load: async () => import('./commands/status.ts'),
  },
  {
    name: 'check',
    group: 'Health',
    summary: 'look for everything that is known to break',
    arguments: [],
    options: [
      dir,
      output,
      { flags: '--cert-margin <time>', text: 'certificates must be valid at least this long', default: '5m' },
    ],
    examples: ['weft check', 'weft check -o json'],
    load: async () => import('./commands/check.ts'),
  },
  {
    name: 'edges',
    group: 'Traffic',
    summary: 'who calls whom: rate, success, latency, mTLS',
    arguments: [],
    options: [
      dir,
      output,
      { flags: '--window <time>', text: 'traffic of the last while', default: '30s' },
      { flags: '-w, --watch', text: 'again every two seconds' },
    ],
    examples: ['weft edges', 'weft edges -o json --window 5m'],
    load: async () => import('./commands/edges.ts'),
  },
  {
    name: 'logs',
    group: 'Traffic',
    summary: 'what a workload or its proxy wrote',
    arguments: [workload],
    options: [
      dir,
      namespace,
      { flags: '-c, --container <name>', text: 'app or proxy', choices: ['app', 'proxy'], default: 'app' },
      { flags: '-f, --follow', text: 'go on until Ctrl-C' },
      { flags: '--tail <lines>', text: 'how many lines from the end', default: '100' },
      output,
    ],
    examples: ['weft logs web', 'weft logs campus/pay-core-v2-1 -c proxy -f'],
    load: async () => import('./commands/logs.ts'),
  },
  {
    name: 'get',
    group: 'Objects',
    summary: 'objects, and whether they are accepted and applied',
    arguments: [
      { name: '<kind>', text: 'a kind (svc, vs, dr, pa, ap, httproute, …) or all', completes: 'kind' },
      { name: '[name]', text: 'one object; also as namespace/name', completes: 'name' },
    ],
    options: [dir, namespace, everywhere, output],
    examples: ['weft get all', 'weft get httproute pay-routes -o yaml'],
    load: async () => import('./commands/get.ts'),
  },
  {
    name: 'apply',
    group: 'Objects',
    summary: 'write objects into the mesh directory and wait until every proxy runs them',
    arguments: [],
    options: [
      file,
      dir,
      output,
      dryRun,
      { flags: '--force', text: 'write also what the mesh would not accept' },
      { flags: '--diff', text: 'show what would change; the exit code is 3 when something would' },
      noWait,
      timeout('how long to wait for the proxies', '10s'),
    ],
    examples: ['weft apply -f route.yaml', 'weft apply -f - --diff < route.yaml'],
    load: async () => import('./commands/apply.ts'),
  },
  {
    name: 'delete',
    group: 'Objects',
    summary: 'remove an object from the mesh directory',
    arguments: [
      { name: '<kind>', text: 'a kind; kind/namespace/name is enough', completes: 'kind' },
      { name: '[name]', text: 'one object; also as namespace/name', completes: 'name' },
    ],
    options: [dir, namespace, dryRun, noWait, timeout('how long to wait for the mesh', '10s'), output],
    examples: ['weft delete httproute pay-routes -n campus'],
    load: async () => import('./commands/delete.ts'),
  },
  {
    name: 'proxy list',
    group: 'Proxies',
    summary: 'every proxy: connected, in sync, its Envoy and certificate',
    arguments: [],
    options: [dir, namespace, everywhere, output],
    examples: ['weft proxy list -o wide'],
    load: async () => import('./commands/proxy-list.ts'),
  },
  {
    name: 'proxy config',
    group: 'Proxies',
    summary: 'what an Envoy runs now, asked from that Envoy',
    arguments: [{ name: '<part>', text: proxyConfigParts.join(', '), choices: proxyConfigParts }, workload],
    options: [dir, namespace, output],
    examples: ['weft proxy config clusters web', 'weft proxy config routes web -o json'],
    load: async () => import('./commands/proxy-config.ts'),
  },
  {
    name: 'demo story',
    group: 'Demo',
    summary: 'list the planted stories, or play one',
    arguments: [{ name: '[name]', text: 'a story', completes: 'story' }],
    options: [
      dir,
      output,
      { flags: '--break', text: 'let it go wrong' },
      { flags: '--fix', text: 'put right what is wrong, the mesh way' },
      { flags: '--reset', text: 'as it was at the start' },
    ],
    examples: ['weft demo story', 'weft demo story canary --break'],
    load: async () => import('./commands/demo-story.ts'),
  },
  {
    name: 'version',
    group: 'Other',
    summary: 'versions of this program, of Envoy, and of the mesh that runs',
    arguments: [],
    options: [dir, output],
    examples: ['weft version'],
    load: async () => import('./commands/version.ts'),
  },
  {
    name: 'completion',
    group: 'Other',
    summary: 'completion for a shell, with live names',
    arguments: [{ name: '<shell>', text: shells.join(', '), choices: shells }],
    options: [],
    examples: ['source <(weft completion bash)', 'weft completion fish | source'],
    load: async () => import('./commands/completion.ts'),
  },
  {
    name: 'explain-code',
    group: 'Other',
    summary: 'what a code such as WEFT-1203 means and how to put it right',
    arguments: [{ name: '[code]', text: 'a code; all of them when not given', completes: 'code' }],
    options: [output],
    examples: ['weft explain-code WEFT-1203'],
    load: async () => import('./commands/explain-code.ts'),
  },
];

/** Pages that are no command's. */
export const helpTopics: readonly string[] = ['exit-codes'];
