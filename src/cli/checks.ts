/** What `weft check` knows to go wrong, as pure judgements over facts that were gathered before. */
import type { MeshStatus, ProblemEntry, ProxyEntry } from '../admin/types.ts';
import { showDuration } from './duration.ts';
import type { Edge } from './mesh.ts';
import { problemLine } from './problems.ts';
import { trafficChecks } from './traffic-checks.ts';
import { type Check, ok, verdict } from './verdict.ts';

type Outcome<T> = { readonly value: T } | { readonly failure: string };

export type Facts = {
  readonly pid: number;
  readonly status: Outcome<MeshStatus>;
  readonly proxies: Outcome<readonly ProxyEntry[]>;
  readonly problems: Outcome<readonly ProblemEntry[]>;
  readonly agent: Outcome<unknown>;
  readonly runtime: Outcome<unknown>;
  /** Of the last 30 s. */
  readonly edges: Outcome<readonly Edge[]>;
  /** Absent when there is nothing to ask for, or nobody to ask. */
  readonly dns: { readonly name: string; readonly addresses: readonly string[] } | undefined;
  /** Versions that this program is made for. */
  readonly envoy: string;
  readonly weft: string;
  /** Milliseconds. */
  readonly certificateMargin: number;
  readonly now: number;
};

export type Section = { readonly name: string; readonly checks: readonly Check[] };

export function allChecks(facts: Facts): readonly Section[] {
  return [
    { name: 'control-plane', checks: controlPlane(facts) },
    { name: 'node', checks: node(facts) },
    { name: 'data-plane', checks: dataPlane(facts) },
    { name: 'certificates', checks: certificates(facts) },
    { name: 'configuration', checks: configuration(facts) },
    { name: 'traffic', checks: 'value' in facts.edges ? trafficChecks(facts.edges.value) : [] },
  ].filter(({ checks }) => checks.length > 0);
}

function controlPlane({ status, pid, weft }: Facts): readonly Check[] {
  if ('failure' in status) {
    return [
      {
        id: 'control-plane-reachable',
        result: 'fail',
        text: 'control plane is reachable',
        detail: [status.failure],
        fix: 'weft down, then weft up; sidecars keep what they have meanwhile',
      },
    ];
  }
  const { version, directory, directoryError } = status.value.controlPlane;
  return [
    ok('control-plane-reachable', `control plane is reachable (pid ${pid}, version ${version})`),
    version === weft
      ? ok('control-plane-version', 'control plane and this program are of one version')
      : {
          id: 'control-plane-version',
          result: 'warn',
          text: `control plane is ${version}, this program ${weft}`,
          detail: [],
          fix: 'weft down, then weft up with this version',
        },
    directoryError === ''
      ? ok('directory-readable', `directory is readable (${directory})`)
      : {
          id: 'directory-readable',
          result: 'fail',
          text: 'directory is readable',
          detail: [directoryError, 'the last good objects stay live'],
          fix: `ls -l ${directory}`,
        },
  ];
}

function node({ agent, runtime, dns }: Facts): readonly Check[] {
  const reachable = (id: string, who: string, answer: Outcome<unknown>): Check =>
    'value' in answer
      ? ok(id, `${who} is reachable`)
      : {
          id,
          result: 'fail',
          text: `${who} is reachable`,
          detail: [answer.failure],
          fix: 'weft down, then weft up',
        };
  return [
    reachable('node-agent-reachable', 'node agent', agent),
    reachable('runtime-reachable', 'local runtime', runtime),
    ...(dns ? [resolves(dns.name, dns.addresses)] : []),
  ];
}

function resolves(name: string, addresses: readonly string[]): Check {
  if (addresses.length > 0) return ok('dns', `DNS answers (${name} is ${addresses.join(', ')})`);
  return {
    id: 'dns',
    result: 'fail',
    text: 'DNS answers',
    detail: [`${name} has no address`],
    fix: 'weft get services -A',
  };
}

function dataPlane({ proxies, envoy }: Facts): readonly Check[] {
  if ('failure' in proxies) return [];
  const all = proxies.value;
  const away = all.filter(({ connected }) => !connected);
  const late = all.filter(({ connected, inSync }) => connected && !inSync);
  const foreign = all.filter(
    ({ envoyVersion }) => envoyVersion !== '' && minor(envoyVersion) !== minor(envoy),
  );
  const total = all.length;
  return [
    verdict('proxies-connected', `${total - away.length}/${total} proxies connected`, {
      bad: away.map(({ workload }) => `${workload} is not connected`),
      fix: `weft logs ${away[0]?.workload} -c proxy`,
    }),
    verdict('proxies-in-sync', `${total - away.length - late.length}/${total} proxies in sync`, {
      bad: late.flatMap(lateness),
      fix: 'weft get all; what a proxy rejected is named at the object it came from',
    }),
    verdict('envoy-version', `Envoy versions are supported (${minor(envoy)})`, {
      bad: foreign.map(({ workload, envoyVersion }) => `${workload} runs Envoy ${envoyVersion}`),
      fix: `weft up --envoy with a binary of version ${minor(envoy)}`,
      result: 'warn',
    }),
  ];
}

function lateness({ workload, pending, rejected }: ProxyEntry): readonly string[] {
  if (rejected.length === 0) return [`${workload} waits for ${pending} resources`];
  return rejected.map(({ type, name, message }) => `${workload} rejected ${type} ${name}: ${message}`);
}

/** `1.40.0/clean` to `1.40`. */
function minor(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function certificates({ status, proxies, certificateMargin, now }: Facts): readonly Check[] {
  if ('failure' in status || 'failure' in proxies) return [];
  const left = (expires: string): number => Date.parse(expires) - now;
  const short = proxies.value.filter(
    ({ certificateExpires }) =>
      certificateExpires !== undefined && left(certificateExpires) < certificateMargin,
  );
  const none = proxies.value.filter(({ certificateExpires }) => certificateExpires === undefined);
  const margin = showDuration(certificateMargin);
  const { issuerExpires, certificateTtlSeconds } = status.value.controlPlane;
  return [
    verdict('certificates-valid', `certificates are valid for more than ${margin}`, {
      bad: [
        ...none.map(({ workload }) => `${workload} has no certificate`),
        ...short.map((proxy) => `${proxy.workload}: ${expiry(left(proxy.certificateExpires ?? ''))}`),
      ],
      fix: `weft proxy config secrets ${(none[0] ?? short[0])?.workload}`,
    }),
    verdict('issuer-valid', 'the certificate authority outlives the certificates it signs', {
      bad:
        left(issuerExpires) < 2000 * certificateTtlSeconds
          ? [`the issuer: ${expiry(left(issuerExpires))}`]
          : [],
      fix: 'weft down, then weft up: a new issuer is made from the same root',
      result: 'warn',
    }),
  ];
}

function expiry(left: number): string {
  return left > 0 ? `expires in ${showDuration(left)}` : `expired ${showDuration(-left)} ago`;
}

function configuration({ problems, status }: Facts): readonly Check[] {
  if ('failure' in problems || 'failure' in status) return [];
  const of = (severity: ProblemEntry['severity']): readonly ProblemEntry[] =>
    problems.value.filter((problem) => problem.severity === severity);
  const { total, notProgrammed } = status.value.objects;
  return [
    verdict('no-errors', 'no errors in the objects', {
      bad: of('error').map(problemLine),
      fix: `weft explain-code ${of('error')[0]?.code}`,
    }),
    verdict('no-warnings', 'no warnings in the objects', {
      bad: of('warning').map(problemLine),
      fix: `weft explain-code ${of('warning')[0]?.code}`,
      result: 'warn',
    }),
    verdict(
      'objects-applied',
      `${total - notProgrammed}/${total} objects applied on every proxy that needs them`,
      {
        bad: notProgrammed > 0 ? [`${notProgrammed} not applied everywhere`] : [],
        fix: 'weft get all',
      },
    ),
  ];
}
