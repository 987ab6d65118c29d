/** A control plane of the real rooms, without proxies: what a directory holds becomes objects with conditions. */
import type { AdminReaders } from '../../admin/admin.ts';
import { objectMatches } from '../../admin/admin.ts';
import type { Manifest, ObjectEntry } from '../../admin/types.ts';
import { silentLogger } from '../../base/log.ts';
import { type ObjectRef, refKey } from '../../model/object-ref.ts';
import { directorySource } from '../../sources/sources.ts';
import { type KubeObject, kinds } from '../../sources/types.ts';
import { conditions, createAppliedLedger } from '../../status/status.ts';

/** What a proxy that needs every route would say. */
export type ProxyAnswer = 'none' | 'silent' | 'rejects';

export type LiveMesh = {
  readonly objects: AdminReaders['objects'];
  /** Settles once the source has ended. */
  readonly ended: Promise<void>;
};

export function startLiveMesh(directory: string, answer: ProxyAnswer, signal: AbortSignal): LiveMesh {
  const source = directorySource({ directory, serviceCidr: '10.96.0.0/16', log: silentLogger });
  const live = new Map<string, KubeObject>();
  const ledger = createAppliedLedger();
  const follow = async (): Promise<void> => {
    for await (const batch of source.events(signal)) {
      for (const event of batch) {
        if (event.kind === 'applied') live.set(refKey(refOf(event.object)), event.object);
        if (event.kind === 'deleted') live.delete(refKey(event.ref));
      }
      if (answer === 'none') continue;
      const routes = [...live.values()].filter(({ kind }) => kind === 'HTTPRoute');
      const wanted = routes.map((route) => ({
        type: 'route',
        name: route.metadata.name,
        version: String(route.metadata.generation),
        origin: [refOf(route)],
      }));
      const byName = new Map(wanted.map((resource) => [resource.name, resource]));
      ledger.want('campus/web-7', { layers: [{ byType: { route: byName } }] }, 0);
      if (answer === 'silent') continue;
      for (const { type, name, version } of wanted) {
        ledger.fact('campus/web-7', { kind: 'nacked', type, name, version, message: 'no' }, 0);
      }
    }
  };
  const entry = (object: KubeObject): ObjectEntry => {
    const ref = refOf(object);
    const applied = ledger.object(ref);
    const { generation } = object.metadata;
    const now = '2030-01-01T00:00:00Z';
    const manifest: Manifest = {
      apiVersion: object.apiVersion,
      kind: object.kind,
      metadata: { ...object.metadata },
      spec: object.spec,
      ...object.rest,
      status: conditions({ ref, generation, problems: [], applied, live: true, now }),
    };
    const location = source.locate(ref, '');
    return { object: manifest, applied, ...(location && { location }) };
  };
  return {
    ended: follow(),
    objects: (query) => ({
      apiVersion: 'weft.dev/v1alpha1',
      kind: 'ObjectList',
      items: [...live.values()].filter((object) => objectMatches(query, refOf(object))).map(entry),
    }),
  };
}

function refOf({ kind, metadata: { namespace, name } }: KubeObject): ObjectRef {
  const known = Object.entries(kinds).find(([word]) => word === kind)?.[1];
  return { group: known?.group ?? '', kind, namespace, name };
}
