import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ProblemEntry, Validation } from '../admin/types.ts';
import { type Doors, exitCodes } from './cli.ts';
import { type LiveMesh, type ProxyAnswer, startLiveMesh } from './testing/live-mesh.ts';
import { createWorld, type World } from './testing/world.ts';

const services = `# the shop
apiVersion: v1
kind: Service
metadata: {name: web, namespace: campus} # short
spec: {ports: [{name: http, port: 8080}]}
---
# pays
apiVersion: v1
kind: Service
metadata:
  name: pay
  namespace: campus
spec:
  ports:
    - name: http
      port: 8080
# the end
`;

const route = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: pay-routes
  namespace: campus
spec:
  parentRefs:
    - group: ""
      kind: Service
      name: pay
  rules:
    - backendRefs:
        - name: pay
          port: 8080
`;

/** A story of one object and one file. */
const play: Doors['applyStory'] = async ({ action, directory }) => {
  const file = join(directory, 'planted.yaml');
  const next = 'weft edges';
  if (action === 'reset') {
    await rm(file);
    return { applied: [], removed: ['planted.yaml'], next };
  }
  await writeFile(file, action === 'break' ? route : route.replace('port: 8080', 'port: 8081'));
  return { applied: ['planted.yaml'], removed: [], next };
};

type Shop = {
  readonly world: World;
  readonly file: (name: string) => Promise<string>;
  readonly files: () => Promise<string[]>;
};

/** The directory is watched by the real source; everything else there is as `answer` says. */
async function withShop(answer: ProxyAnswer, use: (shop: Shop) => Promise<void>): Promise<void> {
  const ending = new AbortController();
  const live: { mesh?: LiveMesh } = {};
  await using world = await createWorld({
    stories: { applyStory: play },
    read: {
      objects: (query) =>
        live.mesh?.objects(query) ?? { apiVersion: 'weft.dev/v1alpha1', kind: 'ObjectList', items: [] },
    },
  });
  const at = (name: string): string => join(world.directory, name);
  await writeFile(at('services.yaml'), services);
  live.mesh = startLiveMesh(world.directory, answer, ending.signal);
  try {
    await use({
      world,
      file: (name) => readFile(at(name), 'utf8'),
      files: async () => (await readdir(world.directory)).filter((name) => !name.startsWith('.')).sort(),
    });
  } finally {
    ending.abort();
    await live.mesh.ended;
  }
}

test('apply writes a new object as a file of its own, and waits until it is live', () =>
  withShop('none', async ({ world, file, files }) => {
    const { code, out, err } = await world.weft('apply -f -', { stdin: route });
    assert.equal(code, 0, err);
    assert.equal(
      out,
      'OBJECT                        RESULT    ACCEPTED   APPLIED   REASON   MESSAGE\n' +
        'HTTPRoute campus/pay-routes   created   √ yes      -\n',
    );
    assert.deepEqual(await files(), ['httproute-campus-pay-routes.yaml', 'services.yaml']);
    assert.equal(await file('httproute-campus-pay-routes.yaml'), route);

    const again = await world.weft('apply -f - -o json', { stdin: route });
    assert.equal(JSON.parse(again.out).items[0].action, 'unchanged');
    assert.equal((await world.weft('get httproute pay-routes -o name')).out, 'httproute/campus/pay-routes\n');
  }));

test('apply replaces only the document of the object', () =>
  withShop('none', async ({ world, file, files }) => {
    const pay =
      services
        .split('---\n')[1]
        ?.replace('8080', '9090')
        .replace('# pays\n', '')
        .replace('# the end\n', '') ?? '';
    const { code, err } = await world.weft('apply -f - -o name', { stdin: pay });
    assert.equal(code, 0, err);
    assert.deepEqual(await files(), ['services.yaml']);
    const expected = services.replace('port: 8080\n# the end\n', 'port: 9090\n');
    assert.equal(await file('services.yaml'), expected);
    const { items } = JSON.parse((await world.weft('get svc -o json')).out);
    assert.deepEqual(
      items.map((item: { spec: { ports: { port: number }[] } }) => item.spec.ports[0]?.port).sort(),
      [8080, 9090],
    );
  }));

test('what get prints can be applied', () =>
  withShop('none', async ({ world, file }) => {
    const printed = (await world.weft('get svc -o yaml')).out;
    const { code, out, err } = await world.weft('apply -f - -o name', { stdin: printed });
    assert.equal(code, 0, err);
    assert.deepEqual(out.split('\n').sort(), ['', 'service/campus/pay', 'service/campus/web']);
    const text = await file('services.yaml');
    assert.match(text, /^# the shop\n/);
    // What only the mesh says does not become something the user says.
    assert.doesNotMatch(text, /status|generation/);

    const one = (await world.weft('get svc campus/pay -o yaml')).out;
    assert.doesNotMatch(one, /creationTimestamp|labels|annotations|ownerReferences/);
    assert.equal((await world.weft('apply -f - -o name', { stdin: one })).code, 0);
  }));

test('what other tools print can be applied: empty fields, a status, an ObjectList', () =>
  withShop('none', async ({ world, file }) => {
    const served = route
      .replace('metadata:\n', 'metadata:\n  creationTimestamp: ""\n  uid: ""\n  generation: 4\n')
      .concat('status:\n  whatever: [1]\n');
    const { code, err } = await world.weft('apply -f -', { stdin: served });
    assert.equal(code, 0, err);
    assert.equal(await file('httproute-campus-pay-routes.yaml'), route);
    // Lines are still those that the user sees.
    const bad = await world.weft('apply -f -', { stdin: served.replace('port: 8080', 'port: many') });
    assert.match(bad.err, /stdin:17:17 WEFT-1005/);

    const item = {
      object: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'fx' },
        spec: { ports: [{ port: 80 }] },
      },
    };
    const list = { apiVersion: 'weft.dev/v1alpha1', kind: 'ObjectList', items: [item] };
    const listed = await world.weft('apply -f - -o name', { stdin: JSON.stringify(list) });
    assert.deepEqual([listed.code, listed.out], [0, 'service/default/fx\n'], listed.err);
  }));

test('what the mesh would not accept is not written, unless forced', async () => {
  const problem: ProblemEntry = {
    code: 'WEFT-1101',
    severity: 'error',
    reason: 'Unsupported',
    message: 'spec.rules[0].filters is not supported',
    fix: 'remove it',
    ref: { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'campus', name: 'pay-routes' },
    field: 'spec.rules[0].filters',
    location: { file: '', line: 11, column: 5 },
  };
  const asked: string[] = [];
  const validate = (text: string): Validation => {
    asked.push(text);
    return { apiVersion: 'weft.dev/v1alpha1', kind: 'Validation', accepted: false, problems: [problem] };
  };
  await using world = await createWorld({ read: { validate } });
  const yaml = async (): Promise<string[]> =>
    (await readdir(world.directory)).filter((name) => name.endsWith('.yaml'));
  for (const words of ['apply -f -', 'apply -f - --dry-run']) {
    const { code, out, err } = await world.weft(words, { stdin: route });
    assert.deepEqual([code, out, await yaml()], [exitCodes.badInput, '', []]);
    assert.equal(
      err,
      '× error stdin:11:5 WEFT-1101 HTTPRoute campus/pay-routes: spec.rules[0].filters is not supported\n' +
        '    fix: remove it\n' +
        '× the mesh would not accept stdin; nothing was written\n' +
        '  next: weft explain-code WEFT-1101; --force writes it all the same\n',
    );
  }
  assert.deepEqual(asked, [route, route]);
  const forced = await world.weft('apply -f - --force --no-wait', { stdin: route });
  assert.equal(forced.code, 0);
  assert.match(forced.err, /WEFT-1101/);
  assert.deepEqual(await yaml(), ['httproute-campus-pay-routes.yaml']);
});

test('delete says what now refers to nothing', async () => {
  const ref = { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'campus', name: 'r' };
  const said = (message: string): ProblemEntry => ({
    code: 'WEFT-1201',
    severity: 'error',
    reason: 'BackendNotFound',
    message,
    fix: 'name another',
    ref,
    field: '',
  });
  const gone: { pay?: boolean } = {};
  const [old, news] = [said('no Service campus/pay-old'), said('no Service campus/pay')];
  await using world = await createWorld({
    read: {
      objects: () => ({ apiVersion: 'weft.dev/v1alpha1', kind: 'ObjectList', items: [] }),
      problems: () => {
        const items = gone.pay ? [old, said('no Service campus/pay-new'), news] : [old];
        gone.pay = true;
        return { apiVersion: 'weft.dev/v1alpha1', kind: 'ProblemList', items };
      },
    },
  });
  await writeFile(join(world.directory, 'services.yaml'), services);
  const { code, out, err } = await world.weft('delete service/campus/pay');
  assert.deepEqual([code, out], [0, '√ deleted Service campus/pay from services.yaml\n']);
  assert.equal(err, '× error WEFT-1201 HTTPRoute campus/r: no Service campus/pay\n    fix: name another\n');
});

test('bad input is refused with place, reason and fix, and nothing is written', () =>
  withShop('none', async ({ world, files }) => {
    const bad = `${route}---\n${route.replace('name: pay-routes', 'name: Not_A_Name').replace('port: 8080', 'port: many')}`;
    const { code, out, err } = await world.weft('apply -f -', { stdin: bad });
    assert.equal(code, exitCodes.badInput);
    assert.equal(out, '');
    assert.match(err, /^× error stdin:\d+:\d+ WEFT-1008 HTTPRoute campus\/Not_A_Name: metadata.name /m);
    assert.match(err, /fix: /);
    assert.match(err, /nothing was written/);
    assert.deepEqual(await files(), ['services.yaml']);
    assert.equal((await world.weft('apply -f -', { stdin: 'a: [' })).code, exitCodes.badInput);
    assert.equal((await world.weft('apply -f -', { stdin: '# nothing\n' })).code, exitCodes.badInput);
  }));

test('what the mesh does not read is left out, and said', () =>
  withShop('none', async ({ world, files }) => {
    const map = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n';
    const { code, out, err } = await world.weft('apply -f - -o name', { stdin: `${map}---\n${route}` });
    assert.equal(code, 0, err);
    assert.equal(out, 'httproute/campus/pay-routes\n');
    assert.match(err, /the mesh does not read ConfigMap default\/other; left out/);
    assert.deepEqual(await files(), ['httproute-campus-pay-routes.yaml', 'services.yaml']);
    assert.equal((await world.weft('apply -f -', { stdin: map })).code, exitCodes.badInput);
  }));

test('--dry-run and --diff write nothing', () =>
  withShop('none', async ({ world, files, file }) => {
    const changed = services.replaceAll('port: 8080', 'port: 9090');
    assert.match((await world.weft('apply -f - --dry-run', { stdin: route })).out, /created \(dry run\)/);
    const { code, out } = await world.weft('apply -f - --diff', { stdin: changed });
    assert.equal(code, exitCodes.different);
    assert.match(out, /^Service campus\/web in services\.yaml$/m);
    assert.match(out, /^- {7}port: 8080$/m);
    assert.match(out, /^\+ {7}port: 9090$/m);
    assert.equal((await world.weft('apply -f - --diff', { stdin: services })).code, 0);
    assert.deepEqual(await files(), ['services.yaml']);
    assert.equal(await file('services.yaml'), services);
  }));

test('a proxy that does not answer is a timeout that says what is missing', () =>
  withShop('silent', async ({ world }) => {
    const { code, err } = await world.weft('apply -f - --timeout 1s', { stdin: route });
    assert.equal(code, exitCodes.timeout);
    assert.match(err, /… waiting for HTTPRoute campus\/pay-routes: /);
    assert.match(err, /× gave up after 1s: .*applied on 0 of 1 proxies; waiting for campus\/web-7/);
    assert.equal((await world.weft('apply -f - --no-wait', { stdin: route })).code, 0);
  }));

test('a proxy that refuses is exit 2, in the words of the proxy', () =>
  withShop('rejects', async ({ world }) => {
    const { code, out } = await world.weft('apply -f - -o wide', { stdin: route });
    assert.equal(code, exitCodes.problems);
    assert.match(out, /campus\/web-7 rejected: no/);
  }));

test('a story says what it does, waits for the mesh, and what to look at', () =>
  withShop('none', async ({ world }) => {
    const about = 'canary: a second version takes a share of the traffic';
    const wrote = '√ wrote planted.yaml\n√ applied 1 change\n';
    const story = async (option: string): Promise<unknown> => {
      const { code, out, err } = await world.weft(`demo story canary${option}`, {
        env: { WEFT_SELF: './weft' },
      });
      return [code, out, err.replace(/^….*\n/gm, '')];
    };
    const next = 'next: ./weft edges\n';
    assert.deepEqual(await story(''), [
      0,
      `${about}\n`,
      'next: ./weft demo story canary --break lets it happen, --fix puts it right, --reset ends it\n',
    ]);
    assert.deepEqual(await story(' --break'), [0, `${about}\n${wrote}`, next]);
    assert.equal((await world.weft('get route pay-routes')).code, 0, 'live when the command is done');
    const again = `${about}\n√ wrote planted.yaml\n√ nothing to change\n`;
    assert.deepEqual(await story(' --break'), [0, again, next]);
    const was = 'canary is put right. It was: a second version takes a share of the traffic\n';
    assert.deepEqual(await story(' --fix'), [0, `${was}${wrote}`, next]);
    const over = 'canary is over: its objects are as they were at the start\n';
    assert.deepEqual(await story(' --reset'), [
      0,
      `${over}√ removed planted.yaml\n√ applied 1 change\n`,
      next,
    ]);
    assert.equal((await world.weft('get route pay-routes')).code, exitCodes.notFound);
  }));

test('delete removes the document, and the file with its last one', () =>
  withShop('none', async ({ world, file, files }) => {
    assert.match((await world.weft('delete svc web --dry-run')).out, /\(dry run\)/);
    assert.equal(await file('services.yaml'), services);
    const { code, out } = await world.weft('delete svc web -n campus');
    assert.deepEqual([code, out], [0, '√ deleted Service campus/web from services.yaml\n']);
    assert.equal(await file('services.yaml'), `# the shop\n---\n${services.split('---\n')[1]}`);
    assert.equal((await world.weft('get svc -o name')).out, 'service/campus/pay\n');

    const missing = await world.weft('delete svc pya');
    assert.equal(missing.code, exitCodes.notFound);
    assert.match(missing.err, /did you mean pay\?/);
    assert.equal((await world.weft('delete svc pay')).code, 0);
    assert.deepEqual(await files(), []);
  }));

test('an object inside a List is left for the hand', () =>
  withShop('none', async ({ world, file }) => {
    const list = `apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: Service\n    metadata: {name: fx, namespace: campus}\n    spec: {ports: [{port: 80}]}\n`;
    await writeFile(join(world.directory, 'list.yaml'), list);
    const { code, err } = await world.weft('delete svc fx');
    assert.equal(code, exitCodes.badInput);
    assert.match(err, /inside a List in list\.yaml/);
    assert.equal(await file('list.yaml'), list);
  }));
