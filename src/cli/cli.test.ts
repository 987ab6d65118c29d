import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { exitCodes } from './cli.ts';
import { commands } from './commands.ts';
import { kindNames, parseKind } from './kinds.ts';
import { createWorld, type Outcome, type World } from './testing/world.ts';

let world: World;
before(async () => {
  world = await createWorld();
});
after(() => world[Symbol.asyncDispose]());

const formats = ['table', 'wide', 'json', 'yaml', 'name'];
const reading = [
  'status',
  'check',
  'edges',
  'get all',
  'get httproute pay-routes',
  'get svc',
  'proxy list',
  'proxy config clusters web',
  'proxy config listeners web',
  'proxy config routes web',
  'proxy config endpoints web',
  'proxy config secrets web',
  'proxy config bootstrap web',
  'demo story',
  'version',
  'explain-code WEFT-1203',
];

/** `WEFT_UPDATE=1 node --test src/cli/cli.test.ts` writes them anew; the diff is then reviewed like code. */
async function assertGolden(name: string, text: string): Promise<void> {
  const url = new URL(`testdata/golden/${name}.txt`, import.meta.url);
  if (process.env.WEFT_UPDATE) await writeFile(url, text);
  assert.equal(text, await readFile(url, 'utf8'));
}

function shown(words: string, { code, out, err }: Outcome): string {
  return `$ weft ${words}\n${out}${err === '' ? '' : `(stderr)\n${err}`}(exit ${code})\n\n`;
}

for (const words of reading) {
  test(`weft ${words}, in each format`, async () => {
    let text = '';
    for (const format of formats) {
      const outcome = await world.weft(`${words} -o ${format}`);
      if (format === 'json') JSON.parse(outcome.out);
      text += shown(`${words} -o ${format}`, outcome);
    }
    await assertGolden(words.replaceAll(' ', '-'), text);
  });
}

for (const words of [
  'logs web',
  'completion bash',
  'completion zsh',
  'completion fish',
  'help exit-codes',
  '--help',
  'proxy config --help',
]) {
  test(`weft ${words}`, async () => {
    await assertGolden(words.replaceAll(' ', '-').replace(/^-+/, ''), shown(words, await world.weft(words)));
  });
}

test('weft --version is one line for scripts', async () => {
  assert.deepEqual(await world.weft('--version'), { code: 0, out: 'weft 0.1.0\n', err: '' });
});

test('JSON says what it is, but for edges, which are a bare list', async () => {
  for (const words of reading.filter((line) => line !== 'edges' && !line.includes('bootstrap'))) {
    const { apiVersion, kind } = JSON.parse((await world.weft(`${words} -o json`)).out);
    assert.ok(apiVersion && kind, words);
  }
  const [edge] = JSON.parse((await world.weft('edges -o json')).out);
  assert.deepEqual(Object.keys(edge), ['source', 'target', 'rps', 'successRate', 'p50Ms', 'p99Ms', 'mtls']);
});

test('every command has a golden, a test of its own, or both', () => {
  const elsewhere = ['up', 'down', 'apply', 'delete', 'logs', 'completion'];
  const missing = commands.filter(
    ({ name }) => !elsewhere.includes(name) && !reading.some((words) => words.startsWith(name)),
  );
  assert.deepEqual(missing, []);
});

test('exit codes', async () => {
  const cases: readonly (readonly [string, number])[] = [
    ['status', exitCodes.ok],
    ['check', exitCodes.problems],
    ['get svc nothing', exitCodes.notFound],
    ['get nokind', exitCodes.usage],
    ['statsu', exitCodes.usage],
    ['proxy', exitCodes.usage],
    ['proxy config nothing web', exitCodes.usage],
    ['status --bogus', exitCodes.usage],
    ['status -o xml', exitCodes.usage],
    ['get', exitCodes.usage],
    ['logs nobody', exitCodes.notFound],
    ['explain-code WEFT-9999', exitCodes.notFound],
    ['demo story canari --break', exitCodes.notFound],
    ['demo story --break', exitCodes.usage],
    ['demo story canary --break --fix', exitCodes.usage],
    ['demo story canary --break', exitCodes.ok],
    ['apply', exitCodes.usage],
    ['apply -f absent.yaml', exitCodes.badInput],
    ['status --wait --timeout 50ms', exitCodes.timeout],
    ['status --wait --timeout soon', exitCodes.usage],
    ['logs web --tail many', exitCodes.usage],
    ['status --dir /nowhere', exitCodes.unreachable],
    ['help nothing', exitCodes.usage],
    ['internal a b', 2],
  ];
  for (const [words, code] of cases) assert.equal((await world.weft(words)).code, code, words);
  const signal = AbortSignal.abort();
  assert.equal((await world.weft('status', { signal })).code, exitCodes.interrupted);
});

test('errors go to stderr alone, and end with one thing to do', async () => {
  const lines: string[] = [];
  for (const words of [
    'statsu',
    'proxy',
    'proxy lst',
    'status --wat',
    'get htproute',
    'get svc pya',
    'get svc pay -n nope',
    'get svc campus/web/more',
    'get svc pay -o jsn',
    'delete svc',
    'logs web -c sidecar',
    'logs wbe',
    'explain-code WEFT-1230',
    'explain-code WEFT-9999',
    'demo story canari --break',
    'status --dir /nowhere',
    'proxy config clusterz web',
    'status --wait --timeout 120ms',
  ]) {
    const outcome = await world.weft(words);
    assert.equal(outcome.out, '', words);
    lines.push(shown(words, outcome));
  }
  await assertGolden('errors', lines.join(''));
});

test('a mesh that is well passes the checks', async () => {
  await using well = await createWorld({ well: true });
  const { code, out } = await well.weft('check');
  assert.equal(code, 0, out);
  assert.match(out, /√ 0 failed, 0 warned/);
  assert.equal((await well.weft('status --wait')).code, 0);
});

test('a silent node agent is a failed check, and no end of the status', async () => {
  await using silent = await createWorld({ well: true, silentAgent: true });
  assert.match((await silent.weft('status')).out, /the node agent does not answer/);
  const { code, out } = await silent.weft('check');
  assert.equal(code, exitCodes.problems);
  assert.match(out, /× failed: node agent is reachable/);
  assert.equal((await silent.weft('edges')).code, exitCodes.unreachable);
});

test('a mesh of another user is exit 77', async (t) => {
  if (process.getuid?.() === 0) return t.skip('root may open every socket');
  await using other = await createWorld();
  await chmod(`${other.directory}/.sockets/control-plane.admin.sock`, 0);
  assert.equal((await other.weft('status')).code, exitCodes.noPermission);
});

test('no colour when piped, with NO_COLOR, on a dumb terminal or when told; FORCE_COLOR wins', async () => {
  const coloured = async (words: string, over: Parameters<World['weft']>[1]): Promise<boolean> => {
    const { out, err } = await world.weft(words, over);
    return stripVTControlCharacters(out + err) !== out + err;
  };
  for (const words of ['status', 'check', 'edges', 'get all', 'proxy list', 'statsu']) {
    assert.equal(await coloured(words, {}), false, words);
    assert.equal(await coloured(words, { isTTY: true }), true, words);
  }
  assert.equal(await coloured('status', { isTTY: true, env: { NO_COLOR: '1' } }), false);
  assert.equal(await coloured('status', { isTTY: true, env: { NO_COLOR: '' } }), true);
  assert.equal(await coloured('status', { isTTY: true, env: { TERM: 'dumb' } }), false);
  assert.equal(await coloured('status --no-color', { isTTY: true }), false);
  assert.equal(await coloured('--no-color status', { isTTY: true }), false);
  assert.equal(await coloured('status', { env: { FORCE_COLOR: '1', NO_COLOR: '1' } }), true);
});

test('without UTF-8 only ASCII is written', async () => {
  for (const words of ['status', 'check', 'edges', 'get all', 'proxy list', 'statsu', '--help']) {
    const { out, err } = await world.weft(words, { env: { LANG: 'C' } });
    // Anything else would need a terminal that says it speaks Unicode.
    assert.match(out + err, /^[\n -~]*$/, words);
  }
});

test('kinds by plural, short and full names, in any case', () => {
  const spoken: Record<string, string> = {
    svc: 'Service',
    services: 'Service',
    vs: 'VirtualService',
    dr: 'DestinationRule',
    pa: 'PeerAuthentication',
    ap: 'AuthorizationPolicy',
    HTTPRoutes: 'HTTPRoute',
    'httproutes.gateway.networking.k8s.io': 'HTTPRoute',
    deploy: 'Deployment',
    ns: 'Namespace',
  };
  for (const [word, kind] of Object.entries(spoken)) assert.equal(parseKind(word), kind);
  assert.equal(new Set(kindNames).size, kindNames.length);
});

test('a namespace narrows, -A widens', async () => {
  assert.equal((await world.weft('get all -n elsewhere -o name')).out, '');
  assert.equal(
    (await world.weft('get svc -n campus -o name')).out,
    'service/campus/pay\nservice/campus/web\n',
  );
  assert.equal((await world.weft('get svc -A -o name')).out, 'service/campus/pay\nservice/campus/web\n');
  for (const words of ['svc/web', 'svc campus/web', 'svc/campus/web', 'service/campus/web -n campus']) {
    assert.equal((await world.weft(`get ${words} -o name`)).out, 'service/campus/web\n', words);
  }
  for (const words of ['svc campus/web -n other', 'svc a/b/c', 'svc/campus web']) {
    assert.equal((await world.weft(`get ${words}`)).code, exitCodes.usage, words);
  }
  assert.equal((await world.weft('proxy list -n elsewhere')).out, '');
});

test('options of up reach the program whole', async () => {
  const { ups } = world;
  ups.length = 0;
  await world.weft('up');
  await world.weft(
    'up sub --demo --shop-port 1 --metrics-port 0 --separate --cert-ttl 90s --outbound-policy REGISTRY_ONLY --envoy ./envoy',
  );
  const here = world.directory;
  const defaults = { demo: false, separate: false };
  assert.deepEqual(ups, [
    { ...defaults, certificateTtlSeconds: 3600, outboundPolicy: 'ALLOW_ANY' },
    {
      directory: `${here}/sub`,
      demo: true,
      shopPort: 1,
      metricsPort: 0,
      separate: true,
      certificateTtlSeconds: 90,
      outboundPolicy: 'REGISTRY_ONLY',
      envoy: `${here}/envoy`,
    },
  ]);
  await writeFile(join(world.directory, 'hello.yaml'), '');
  const file = await world.weft('up hello.yaml');
  assert.equal(
    file.err,
    '× hello.yaml is a file, and up runs a directory of such files\n  next: weft up .\n',
  );
  for (const words of [
    'up a --dir b',
    'up hello.yaml',
    'up --shop-port 70000',
    'up --cert-ttl 0s',
    'up --outbound-policy NONE',
  ])
    assert.equal((await world.weft(words)).code, exitCodes.usage, words);
});

test('completion knows commands, options, kinds and live names', async () => {
  const complete = async (...words: string[]): Promise<string[]> => {
    const outcome = await world.weft(`__complete ${words.join(' ')}`);
    assert.equal(outcome.code, 0);
    return outcome.out.split('\n').filter(Boolean);
  };
  // The last word is the one being typed; a lone space would be lost here, so each has a first letter.
  assert.deepEqual(await complete('st'), ['status']);
  assert.deepEqual(await complete('proxy', 'l'), ['list']);
  assert.deepEqual(await complete('proxy', 'config', 'cl'), ['clusters']);
  assert.deepEqual(await complete('proxy', 'config', 'clusters', 'campus/w'), ['campus/web-7']);
  assert.deepEqual(await complete('get', 'svc', 'p'), ['pay']);
  assert.deepEqual(await complete('get', 'htt'), ['httproute', 'httproutes']);
  assert.deepEqual(await complete('get', '-n', 'campus', 'svc', 'w'), ['web']);
  assert.deepEqual(await complete('status', '--w'), ['--wait', '--window']);
  assert.deepEqual(await complete('status', '-o', 'j'), ['json']);
  assert.deepEqual(await complete('demo', 'story', 'c'), ['canary']);
  assert.deepEqual(await complete('explain-code', 'WEFT-13'), ['WEFT-1301', 'WEFT-1302']);
  assert.deepEqual(await complete('get', 'nokind', 'x'), []);
  await using stopped = await createWorld({ stopped: true });
  assert.equal((await stopped.weft('__complete get svc p')).out, '');
});

test('every hint names the program as it was called', async () => {
  const env = { WEFT_SELF: './weft' };
  for (const words of [
    'statsu',
    'get svc pya',
    'check',
    'explain-code 1213',
    'get --help',
    'status --dir /nowhere',
  ]) {
    const { out, err } = await world.weft(words, { env });
    assert.match(out + err, /(?:next: |fix: |: |^ +)\.\/weft /m, words);
    assert.doesNotMatch(out + err, /(?<!\.\/)weft (?:get|status|logs|--help)/, words);
  }
});
