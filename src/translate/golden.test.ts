/** `testdata/<case>.in.yaml` → `<case>.<type>s.yaml`; `UPDATE_GOLDENS=1` rewrites. Real Envoy accepts every case. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { parse, stringify } from 'yaml';
import { findEnvoy } from '../../test/support/envoy.ts';
import type { EnvoyResource, ResourceType } from '../snapshot/resource.ts';
import { type Certificates, createCertificates, type KeyPair } from './testing/certificates.ts';
import { type MeshCase, meshOf } from './testing/mesh-case.ts';
import { isObject, rewrite, staticResources, toEnvoyJson } from './testing/static-envoy.ts';
import { createTranslator } from './translate.ts';

const testdata = join(import.meta.dirname, 'testdata');
const shownTypes = ['cluster', 'endpoint', 'listener', 'route'] as const;

type GoldenCase = MeshCase & {
  /** Names of the resources that the case is about. */
  readonly show: Partial<Record<`${(typeof shownTypes)[number]}s`, readonly string[]>>;
  /** Keys whose value is not what the case is about; `access_log` unless it says otherwise. */
  readonly hide?: readonly string[];
  /** Filter chains to show; all when left out. */
  readonly chains?: readonly string[];
};

const cases: readonly string[] = readdirSync(testdata)
  .filter((file) => file.endsWith('.in.yaml'))
  .map((file) => file.replace('.in.yaml', ''));

let certificates: Certificates;
let own: KeyPair;
before(async () => {
  certificates = await createCertificates();
  own = await certificates.issue({ namespace: 'campus', serviceAccount: 'client' });
});
after(() => certificates[Symbol.dispose]());

for (const name of cases) {
  test(`golden: ${name}`, async () => {
    const input: GoldenCase = parse(readFileSync(join(testdata, `${name}.in.yaml`), 'utf8'));
    const { mesh, workload } = meshOf(input);
    const { lists, problems } = createTranslator().translate(mesh, workload);
    assert.deepEqual(problems, []);
    const resources = lists.flat();
    for (const type of shownTypes) {
      const names = input.show[`${type}s`];
      compare(`${name}.${type}s.yaml`, names && shown(resources, { type, names, input }));
    }
    await validate(name, resources);
  });
}

type Shown = { readonly type: ResourceType; readonly names: readonly string[]; readonly input: GoldenCase };

function shown(resources: readonly EnvoyResource[], { type, names, input }: Shown): string {
  const hidden = new Set(input.hide ?? ['access_log']);
  const documents = names.map((wanted) => {
    const resource = resources.find((one) => one.type === type && one.name === wanted);
    assert.ok(resource, `no ${type} ${wanted}; there are ${resources.map((one) => one.name).join(', ')}`);
    return rewrite(toEnvoyJson(resource), (one) => trimmed(one, hidden, input.chains));
  });
  return documents.map((one) => stringify(one, { lineWidth: 0 })).join('---\n');
}

function trimmed(
  one: JsonObject,
  hidden: ReadonlySet<string>,
  chains: readonly string[] | undefined,
): JsonObject {
  const entries = Object.entries(one).map(([key, value]): [string, JsonValue] => {
    if (hidden.has(key)) return [key, '…'];
    if (key !== 'filter_chains' || chains === undefined || !Array.isArray(value)) return [key, value];
    return [
      key,
      value.map((chain) => (isObject(chain) && chains.includes(String(chain.name)) ? chain : '…')),
    ];
  });
  return Object.fromEntries(entries);
}

function compare(file: string, actual: string | undefined): void {
  const path = join(testdata, file);
  if (process.env.UPDATE_GOLDENS === '1') {
    if (actual === undefined) rmSync(path, { force: true });
    else writeFileSync(path, actual);
    return;
  }
  const expected = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  assert.equal(actual, expected, `${file}: UPDATE_GOLDENS=1 rewrites it`);
}

async function validate(name: string, resources: readonly EnvoyResource[]): Promise<void> {
  const statics = staticResources(resources, { root: certificates.root, own });
  const file = join(certificates.directory, `${name}.json`);
  writeFileSync(file, JSON.stringify({ node: { id: name, cluster: name }, static_resources: statics }));
  const run = await promisify(execFile)(findEnvoy(), ['--mode', 'validate', '-l', 'warn', '-c', file]).catch(
    (error: { stderr?: string }) => assert.fail(`Envoy refuses ${name}: ${error.stderr ?? String(error)}`),
  );
  assert.match(run.stdout, /OK/);
}
