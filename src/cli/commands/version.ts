import { adminSocket, type Call, textOption } from '../call.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { readStatus } from '../mesh.ts';
import { print } from '../output.ts';
import { lookForTarget } from '../target.ts';

/** Works without a mesh too. */
export async function run(call: Call): Promise<ExitCode> {
  const { weft, envoy } = call.doors.versions;
  const found = await lookForTarget({ io: call.io, doors: call.doors, dir: textOption(call, 'dir') });
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
