import { adminSocket, type Call } from '../call.ts';
import { lookForMesh, sayWhere } from '../choose-mesh.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { readStatus } from '../mesh.ts';
import { print } from '../output.ts';

/** Works without a mesh too. */
export async function run(call: Call): Promise<ExitCode> {
  const { weft, envoy } = call.doors.versions;
  const found = await lookForMesh(call);
  sayWhere(call, found);
  const running =
    found.kind === 'running'
      ? (await readStatus(adminSocket(call, found.target))).controlPlane.version
      : undefined;
  const node = process.versions.node;
  await print(call.io, call.format, {
    data: {
      apiVersion: 'weft.dev/v1alpha1',
      kind: 'Versions',
      weft,
      envoy,
      node,
      ...(running !== undefined && { controlPlane: running }),
    },
    header: ['PART', 'VERSION'],
    rows: [
      ['weft', weft],
      ['envoy', envoy],
      ['node', node],
      ['control plane', running ?? 'not running'],
    ],
    names: [`weft/${weft}`],
    empty: '',
  });
  return exitCodes.ok;
}
