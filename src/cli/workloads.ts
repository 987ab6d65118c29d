import type { Manifest } from '../admin/types.ts';
import { adminSocket, type Call, namespaceOption } from './call.ts';
import { didYouMean } from './closest.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandFailure } from './failure.ts';
import { readObjects } from './mesh.ts';
import { asRecord } from './record.ts';
import type { Target } from './target.ts';

type Pod = { readonly namespace: string; readonly name: string; readonly owner: string };

/**
 * The pod that a word means: `namespace/pod`, a pod's name, or the name of what owns it. When several replicas are
 * meant the first is taken, and said.
 */
export async function findWorkload(call: Call, mesh: Target, word: string): Promise<string> {
  const pods = await listPods(call, mesh);
  const namespace = namespaceOption(call);
  const inScope = pods.filter((pod) => namespace === undefined || pod.namespace === namespace);
  const exact = inScope.filter((pod) => `${pod.namespace}/${pod.name}` === word || pod.name === word);
  const owned = inScope.filter((pod) => pod.owner === word || `${pod.namespace}/${pod.owner}` === word);
  const meant = exact.length > 0 ? exact : owned;
  const [first] = meant;
  if (!first) throw unknownWorkload(word, inScope);
  const chosen = `${first.namespace}/${first.name}`;
  if (meant.some((pod) => pod.namespace !== first.namespace)) throw ambiguous(word, meant);
  if (meant.length > 1) call.io.stderr.write(`${meant.length} pods of ${word}; taking ${chosen}\n`);
  return chosen;
}

async function listPods(call: Call, mesh: Target): Promise<readonly Pod[]> {
  const { items } = await readObjects(adminSocket(call, mesh), { kind: 'Pod' });
  return items.map(({ object: { metadata } }) => ({
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    owner: ownerOf(metadata) ?? '',
  }));
}

/** The name that the user gave: a ReplicaSet's name is the Deployment's and the hash of its template. */
function ownerOf({ ownerReferences, labels }: Manifest['metadata']): string | undefined {
  const first = asRecord(Array.isArray(ownerReferences) ? ownerReferences[0] : undefined);
  const name = typeof first.name === 'string' ? first.name : undefined;
  const hash = asRecord(labels)['pod-template-hash'];
  const suffix = `-${String(hash)}`;
  return first.kind === 'ReplicaSet' && name?.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
}

function unknownWorkload(word: string, pods: readonly Pod[]): CommandFailure {
  const names = pods.flatMap((pod) => [pod.owner, pod.name, `${pod.namespace}/${pod.name}`]);
  return new CommandFailure({
    exitCode: exitCodes.notFound,
    message: `no workload is called "${word}"${didYouMean(word, names.filter(Boolean))}`,
    next: 'weft proxy list',
  });
}

function ambiguous(word: string, pods: readonly Pod[]): CommandFailure {
  const where = [...new Set(pods.map(({ namespace }) => namespace))].join(', ');
  return new CommandFailure({
    exitCode: exitCodes.usage,
    message: `"${word}" is in several namespaces: ${where}`,
    next: 'repeat the command with -n NAMESPACE',
  });
}
