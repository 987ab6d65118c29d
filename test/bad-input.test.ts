/** Whatever is written into the directory: it is said what is wrong, where, and how to mend it; and nothing that worked stops. */
import assert from 'node:assert/strict';
import { open, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { backend, type Count, caller, namespace, service } from './support/lab.ts';
import { eventually, type Mesh, startMesh } from './support/mesh.ts';
import { namespacesMissing } from './support/namespace.ts';

const skip = namespacesMissing();
const options = { skip };

const subsets = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: backend, namespace: lab }
spec:
  host: backend
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
`;
const head = `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: backend, namespace: lab }
spec:
  hosts: [backend]
  http:
    - `;
const toVersion = (version: string): string =>
  `route: [{ destination: { host: backend, subset: ${version} } }]\n`;
const good = (version: string): string => `${subsets}${head}${toVersion(version)}`;
const bad = (rule: string): string => `${subsets}${head}${rule}\n`;

let mesh: Mesh;
before(async () => {
  if (skip !== false) return;
  mesh = await startMesh({
    files: {
      'namespace.yaml': namespace,
      'backend.yaml': service('backend', 'backend'),
      'v1.yaml': backend({ version: 'v1', replicas: 1 }),
      'v2.yaml': backend({ version: 'v2', replicas: 1 }),
      'caller.yaml': caller(100),
      'route.yaml': good('v1'),
      target: '',
    },
  });
  await mesh.write('target', 'http://backend/');
});
after(async () => {
  if (skip === false) await mesh[Symbol.asyncDispose]();
});

type Problem = {
  readonly code: string;
  readonly severity: string;
  readonly message: string;
  readonly fix: string;
  readonly ref: { readonly kind: string; readonly name: string };
  readonly location?: { readonly file: string; readonly line: number; readonly column: number };
};
type Object = {
  readonly status: { readonly conditions: readonly { type: string; status: string; reason: string }[] };
};

async function problems(): Promise<readonly Problem[]> {
  const { problemList } = await mesh.json<{ problemList: readonly Problem[] }>('status');
  return problemList;
}

async function condition(kind: string, name: string, type: string): Promise<string> {
  const found = await mesh.json<Object>('get', kind, name, '-n', 'lab');
  const one = found.status.conditions.find((candidate) => candidate.type === type);
  return `${one?.status} ${one?.reason}`;
}

async function count(): Promise<Count> {
  return await eventually('the caller speaks', async () => {
    const line = (await mesh.logs('caller')).findLast((text) => text.startsWith('{"target"'));
    return line === undefined ? undefined : JSON.parse(line);
  });
}

/** What answers from now on: names of versions, or what a failure said. */
async function answering(): Promise<readonly string[]> {
  const first = await count();
  const last = await eventually('fifty calls', async () => {
    const now = await count();
    return now.sent - first.sent >= 50 ? now : undefined;
  });
  const versions = Object.keys(last.answers).filter((name) => last.answers[name] !== first.answers[name]);
  const failure = last.failed > first.failed ? [last.failures.at(-1)?.why.split(' ')[0] ?? ''] : [];
  return [...versions, ...failure].sort();
}

async function becomes(wanted: readonly string[]): Promise<void> {
  let seen: readonly string[] = [];
  await eventually(
    () => `${wanted} answers, not ${seen}`,
    async () => {
      seen = await answering();
      return seen.join() === wanted.join() ? true : undefined;
    },
    { tries: 200 },
  );
}

/** Good again, in the version that is told, and nothing to complain of. */
async function isWell(version: string): Promise<void> {
  await mesh.write('route.yaml', good(version));
  await eventually('nothing is wrong', async () => ((await problems()).length === 0 ? true : undefined));
  await becomes([version]);
}

type Case = {
  readonly text: string;
  /** `line:column code`, the same the problem shall have. */
  readonly at: string;
  readonly says: RegExp;
  readonly fix: RegExp;
};

async function complaint({ at, says, fix }: Omit<Case, 'text'>, file = 'route.yaml'): Promise<Problem> {
  let seen: readonly Problem[] = [];
  const found = await eventually(
    () => `${at} is complained of: ${JSON.stringify(seen)}`,
    async () => {
      seen = await problems();
      return seen.find(
        ({ location, code }) =>
          location?.file === file && `${location.line}:${location.column} ${code}` === at,
      );
    },
    { tries: 100 },
  );
  assert.match(found.message, says);
  assert.match(found.fix, fix);
  const { stdout } = await mesh.weft('status');
  const [place = ''] = at.split(' ');
  assert.ok(stdout.includes(`${file}:${place} `), 'people see the place');
  assert.ok(stdout.includes(`fix: ${found.fix}`), 'and the fix');
  return found;
}

const kept = /; the last good form( of its objects)? stays live$/;

/** Input that is refused: what stood there before goes on. */
const refused: Readonly<Record<string, Case>> = {
  'no YAML': { text: 'a: [b\nc: {', at: '2:1 WEFT-1001', says: kept, fix: /line it up/ },
  'a word for a number': {
    text: bad('route: [{ destination: { host: backend, subset: v2 }, weight: many }]'),
    at: '16:69 WEFT-1005',
    says: /weight must be an integer, got "many"; the last good form stays live$/,
    fix: /weight: 1/,
  },
  'a field nobody knows': {
    text: bad('rout: [{ destination: { host: backend, subset: v2 } }]'),
    at: '16:7 WEFT-1004',
    says: /rout is not a known field; did you mean route\?/,
    fix: /write route instead of rout/,
  },
  'a kind nobody knows': {
    text: good('v2').replace('kind: VirtualService', 'kind: VirtualServise'),
    at: '11:7 WEFT-1003',
    says: /no kind VirtualServise; did you mean VirtualService\?/,
    fix: /kind: VirtualService/,
  },
  'a version nobody knows': {
    text: good('v2').replace('v1\nkind: VirtualService', 'v9\nkind: VirtualService'),
    at: '10:13 WEFT-1003',
    says: /has no version v9; it has v1/,
    fix: /networking.istio.io\/v1$/,
  },
  'five megabytes': {
    text: `# ${'x'.repeat(5_000_000)}\n${good('v2')}`,
    at: '1:1 WEFT-1007',
    says: /more than 1048576/,
    fix: /smaller files/,
  },
};

for (const [name, wanted] of Object.entries(refused)) {
  test(`${name}: refused, and the last good form stays live`, options, async () => {
    await mesh.write('route.yaml', wanted.text);
    const found = await complaint(wanted);
    assert.match(found.message, kept);
    assert.deepEqual(await answering(), ['v1']);
  });
}

test('other objects go on being read while one file is wrong', options, async () => {
  await mesh.write('route.yaml', 'a: [b');
  await eventually('that is seen', async () => ((await problems()).length > 0 ? true : undefined));
  const denyAll = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: closed, namespace: lab }
spec: { action: DENY, rules: [{}] }
`;
  await mesh.write('other.yaml', denyAll);
  await becomes(['403']);
  await mesh.remove('other.yaml');
  await becomes(['v1']);
  await isWell('v2');
  await isWell('v1');
});

/** Input that can be read but points nowhere: the part that is wrong answers 500, as the Gateway API asks for. */
const dangling: Readonly<Record<string, Case & { readonly condition: string }>> = {
  'a Service that is not there': {
    text: bad('route: [{ destination: { host: nobody } }]'),
    at: '16:30 WEFT-1201',
    says: /nobody not found: there is no such Service/,
    fix: /name a Service that exists/,
    condition: 'ResolvedRefs False BackendNotFound',
  },
  'a subset that is not there': {
    text: bad(toVersion('v7')),
    at: '16:30 WEFT-1203',
    says: /subset `v7` of backend not found: its subsets are v1, v2/,
    fix: /add the subset `v7`/,
    condition: 'ResolvedRefs False SubsetNotFound',
  },
  'a port that is not there': {
    text: bad('route: [{ destination: { host: backend, port: { number: 81 } } }]'),
    at: '16:30 WEFT-1202',
    says: /has no port 81; ports are 80/,
    fix: /use one of its ports: 80/,
    condition: 'ResolvedRefs False BackendNotFound',
  },
  'weights that are all zero': {
    text: bad(
      'route: [{ destination: { host: backend, subset: v1 }, weight: 0 }, { destination: { host: backend }, weight: 0 }]',
    ),
    at: '16:14 WEFT-1205',
    says: /weights of all destinations are 0/,
    fix: /weight above 0/,
    condition: 'Accepted False NoWeight',
  },
};

for (const [name, wanted] of Object.entries(dangling)) {
  test(`${name}: its requests get 500, and the object says why`, options, async () => {
    await mesh.write('route.yaml', wanted.text);
    await complaint(wanted);
    await becomes(['500']);
    const [type = '', ...is] = wanted.condition.split(' ');
    assert.equal(await condition('virtualservice', 'backend', type), is.join(' '));
    await isWell('v1');
  });
}

test('a bad regular expression matches nothing, and the rules after it act', options, async () => {
  const rules = `match: [{ uri: { regex: "/(" } }]\n      ${toVersion('v2')}    - ${toVersion('v1')}`;
  await mesh.write('route.yaml', bad(rules));
  await complaint({ at: '16:31 WEFT-1206', says: /`\/\(` is not a regular expression/, fix: /RE2/ });
  assert.deepEqual(await answering(), ['v1']);
  await isWell('v1');
});

test('an object that is defined twice: the first counts', options, async () => {
  await mesh.write('z-again.yaml', `${head.slice(4)}${toVersion('v2')}`);
  const second = { at: '1:1 WEFT-1006', says: /defined twice, at .*route.yaml:10 and at/, fix: /remove one/ };
  await complaint(second, 'z-again.yaml');
  assert.deepEqual(await answering(), ['v1']);
  await mesh.remove('z-again.yaml');
  await isWell('v1');
});

test('two routes for one host: the older one acts', options, async () => {
  const second = head.slice(4).replace('name: backend', 'name: second');
  await mesh.write('second.yaml', `${second}${toVersion('v2')}`);
  const conflict = {
    at: '5:11 WEFT-1207',
    says: /already has the older VirtualService lab\/backend/,
    fix: /delete/,
  };
  await complaint(conflict, 'second.yaml');
  assert.deepEqual(await answering(), ['v1']);
  assert.equal(await condition('virtualservice', 'second', 'Accepted'), 'False Conflicted');
  await mesh.remove('second.yaml');
  await isWell('v1');
});

test('a name of three hundred characters', options, async () => {
  const text = `${head.slice(4).replace('name: backend', `name: ${'x'.repeat(300)}`)}${toVersion('v2')}`;
  await mesh.write('long.yaml', text);
  const long = { at: '3:19 WEFT-1008', says: /at most 253 characters, has 300/, fix: /write name:/ };
  await complaint(long, 'long.yaml');
  assert.deepEqual(await answering(), ['v1']);
  await mesh.remove('long.yaml');
  await isWell('v1');
});

test('a link that leads to itself', options, async () => {
  await symlink('loop.yaml', join(mesh.directory, 'loop.yaml'));
  await complaint({ at: '1:1 WEFT-1007', says: /leads back to itself/, fix: /remove the link/ }, 'loop.yaml');
  assert.deepEqual(await answering(), ['v1']);
  await unlink(join(mesh.directory, 'loop.yaml'));
  await isWell('v1');
});

test('a file that is written slowly, in place, never takes anything away', options, async () => {
  const { failed } = await count();
  const text = good('v2');
  const file = await open(join(mesh.directory, 'route.yaml'), 'w');
  for (let at = 0; at < text.length; at += 8) {
    await file.write(text.slice(at, at + 8));
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  await file.close();
  await becomes(['v2']);
  assert.equal((await count()).failed, failed, 'not one request failed meanwhile');
  await isWell('v1');
});

/** To us it is a regular expression; compiled, it is larger than Envoy allows. */
const tooLarge = `match: [{ uri: { regex: '${'[\\p{L}]{999}'.repeat(6)}' } }]\n      ${toVersion('v2')}    - ${toVersion('v2')}`;

test('what only Envoy refuses ends as a condition, and Envoy goes on with what it had', options, async () => {
  await mesh.write('route.yaml', bad(tooLarge));
  let seen = '';
  await eventually(
    () => `the object says that a proxy refused it: ${seen}`,
    async () => {
      seen = await condition('virtualservice', 'backend', 'Programmed');
      return seen.startsWith('False ') ? true : undefined;
    },
    { tries: 100 },
  );
  assert.deepEqual(await answering(), ['v1']);
  const { stdout } = await mesh.weft('status');
  assert.match(stdout, /rejected route backend.lab.svc.cluster.local:80: .*RE2 program size/);
  await isWell('v2');
  await eventually('every proxy runs it', async () =>
    (await condition('virtualservice', 'backend', 'Programmed')).startsWith('True ') ? true : undefined,
  );
});
