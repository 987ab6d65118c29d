/** From the goldens of resolve, all the way: what a user's YAML becomes, a real Envoy must accept. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import type { Mesh } from '../src/model/mesh.ts';
import type { WorkloadKey } from '../src/model/names.ts';
import { createResolver } from '../src/resolve/resolve.ts';
import { readYaml, settings, viewOf } from '../src/resolve/testing/view.ts';
import { createCertificates } from '../src/translate/testing/certificates.ts';
import { staticResources } from '../src/translate/testing/static-envoy.ts';
import { createTranslator } from '../src/translate/translate.ts';
import { findEnvoy } from './support/envoy.ts';

const folder = join(import.meta.dirname, '../src/resolve/testdata');
const inputs = readdirSync(folder).filter((name) => name.endsWith('.in.yaml'));
const certificates = await createCertificates();
after(() => certificates[Symbol.dispose]());
const own = await certificates.issue({ namespace: 'web', serviceAccount: 'default' });

for (const file of inputs) {
  test(`Envoy takes ${file}`, async () => {
    const objects = readYaml(readFileSync(join(folder, file), 'utf8'), file);
    const { mesh } = createResolver(settings).resolve(viewOf(objects));
    for (const workload of onePerNamespace(mesh)) {
      const { lists, problems } = createTranslator().translate(mesh, workload);
      assert.deepEqual(problems, []);
      await validate(
        `${file}-${workload.replace('/', '-')}`,
        staticResources(lists.flat(), { root: certificates.root, own }),
      );
    }
  });
}

/** Views of services are by namespace, views of inbound ports by workload: one of each is enough. */
function onePerNamespace({ inbound }: Mesh): readonly WorkloadKey[] {
  return [...new Set(inbound.values())].flatMap(
    (view) => inbound.entries().find(([, one]) => one === view)?.[0] ?? [],
  );
}

async function validate(name: string, resources: object): Promise<void> {
  const file = join(certificates.directory, `${name}.json`);
  writeFileSync(file, JSON.stringify({ node: { id: name, cluster: name }, static_resources: resources }));
  const run = await promisify(execFile)(findEnvoy(), ['--mode', 'validate', '-l', 'warn', '-c', file]).catch(
    (error: { stderr?: string }) => assert.fail(`Envoy refuses ${name}: ${error.stderr ?? String(error)}`),
  );
  assert.match(run.stdout, /OK/);
}
