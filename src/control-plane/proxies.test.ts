import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import type { Mesh } from '../model/mesh.ts';
import { createResolver } from '../resolve/resolve.ts';
import { readYaml, settings, viewOf } from '../resolve/testing/view.ts';
import { resourceTypes } from '../snapshot/resource.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { createAppliedLedger } from '../status/status.ts';
import { createProxies } from './proxies.ts';

const web = { group: '', kind: 'Service', namespace: 'campus', name: 'web' };

function meshOf(...pods: readonly string[]): Mesh {
  const service = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: campus }
spec: { clusterIP: 10.96.0.1, selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
`;
  const podOf = (name: string, index: number): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: campus, labels: { app: web, security.istio.io/tlsMode: istio } }
spec: { containers: [{ name: app, image: web, ports: [{ containerPort: 8080 }] }] }
status: { podIP: 10.244.0.${index + 2}, phase: Running }
`;
  const text = [service, ...pods.map(podOf)].join('---');
  return createResolver(settings).resolve(viewOf(readYaml(text, 'mesh.yaml'))).mesh;
}

function lab() {
  const ledger = createAppliedLedger();
  const proxies = createProxies({ ledger, clock: () => 0, log: silentLogger });
  /** Takes everything the first snapshot holds, and says so. */
  const connect = async (id: string, signal: AbortSignal): Promise<void> => {
    for await (const snapshot of proxies.open({ id, envoyVersion: '' }, signal)) acknowledge(id, snapshot);
  };
  const acknowledge = (id: string, snapshot: Snapshot): void => {
    for (const type of resourceTypes) {
      for (const { name, version } of snapshot.entries(type)) {
        ledger.fact(id, { kind: 'acked', type, name, version }, 0);
      }
    }
  };
  return { ledger, proxies, connect };
}

test('a pod whose stream ends before its object goes leaves no trace', async () => {
  const { ledger, proxies, connect } = lab();
  const [old, young] = [new AbortController(), new AbortController()];
  proxies.refresh(meshOf('old', 'young'));
  const streams = [connect('campus/old', old.signal), connect('campus/young', young.signal)];
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(ledger.object(web), { total: 2, acked: 2, pending: [], rejected: [] });

  old.abort();
  await streams[0];
  assert.equal(ledger.object(web).total, 2, 'until the pod is gone it is one that may come back');
  proxies.refresh(meshOf('young'));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(ledger.object(web), { total: 1, acked: 1, pending: [], rejected: [] });
  assert.deepEqual(ledger.workloads(), ['campus/young']);
  young.abort();
  await streams[1];
});

test('a node that the mesh does not know gets nothing, however it is called', async () => {
  const { proxies, connect, ledger } = lab();
  const end = new AbortController();
  proxies.refresh(meshOf('young'));
  const streams = ['campus/young/x', 'young', '', 'campus/'].map((id) => connect(id, end.signal));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(ledger.workloads(), []);
  end.abort();
  await Promise.all(streams);
});
