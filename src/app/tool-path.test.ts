import assert from 'node:assert/strict';
import test from 'node:test';
import { toolPath } from './tool-path.ts';

test('leads to the tools of the system last, and names nothing twice', () => {
  assert.equal(toolPath('/opt/bin:/usr/bin:/bin'), '/opt/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin');
  const complete = '/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin';
  assert.equal(toolPath(complete), complete);
  assert.match(toolPath(undefined), /(^|:)\/usr\/bin:.*:\/usr\/sbin:/);
});
