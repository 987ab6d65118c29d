import assert from 'node:assert/strict';
import test from 'node:test';
import packet from 'dns-packet';
import { answerQuery } from './dns.ts';

const zone = new Map([['web.campus.svc.cluster.local', ['10.96.0.10']]]);

function ask(name: string, type: 'A' | 'AAAA' | 'TXT'): { code: number; data: string[] } {
  const query = packet.encode({
    type: 'query',
    id: 7,
    flags: packet.RECURSION_DESIRED,
    questions: [{ type, name }],
  });
  const reply = packet.decode(packet.encode(answerQuery(packet.decode(query), zone)));
  assert.equal(reply.id, 7);
  return {
    code: (reply.flags ?? 0) & 15,
    data: (reply.answers ?? []).map((answer) => ('data' in answer ? String(answer.data) : '')),
  };
}

const noError = 0;
const noName = 3;

test('a Service has its address, in any case of letters', () => {
  assert.deepEqual(ask('web.campus.svc.cluster.local', 'A'), { code: noError, data: ['10.96.0.10'] });
  assert.deepEqual(ask('WEB.Campus.svc.cluster.local', 'A'), { code: noError, data: ['10.96.0.10'] });
});

test('a name without the asked type exists all the same', () => {
  assert.deepEqual(ask('web.campus.svc.cluster.local', 'AAAA'), { code: noError, data: [] });
  assert.deepEqual(ask('campus.svc.cluster.local', 'A'), { code: noError, data: [] });
});

test('unknown names get a quick no', () => {
  for (const name of ['shop.campus.svc.cluster.local', 'example.com', 'example.com.campus.svc.cluster.local'])
    assert.deepEqual(ask(name, 'A'), { code: noName, data: [] });
});
