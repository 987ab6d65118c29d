import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compareStrings } from '../base/sorted.ts';
import { type AddressClaim, addressRange, allocateAddresses } from './cluster-ips.ts';

const claim = fc.record({
  key: fc.constantFrom(...'abcdefghij').map((name) => `campus/${name}`),
  wanted: fc.constantFrom('', '', '10.96.0.1', '10.96.0.2', '10.96.0.7', '10.96.0.8', '192.0.2.1', '::1'),
});
const claims = fc.uniqueArray(claim, { selector: ({ key }) => key });
const small = addressRange('10.96.0.5/29');

describe('addresses of Services', () => {
  it('depend on the set of Services alone, not on its order', () => {
    fc.assert(
      fc.property(claims, fc.gen(), (given, random) => {
        const mixed = random(fc.shuffledSubarray, given, { minLength: given.length });
        assert.deepEqual(allocateAddresses(mixed, small), allocateAddresses(given, small));
      }),
    );
  });

  it('are unique, in range, and given until none is left', () => {
    fc.assert(
      fc.property(claims, (given) => {
        const addresses = [...allocateAddresses(given, small).values()].map(({ address }) => address);
        const had = addresses.filter((address) => address !== '');
        assert.equal(new Set(had).size, had.length);
        assert.equal(had.length, Math.min(given.length, 6));
        for (const address of had) assert.match(address, /^10\.96\.0\.[1-6]$/);
      }),
    );
  });

  const written: readonly (readonly [string, readonly AddressClaim[], readonly unknown[]])[] = [
    ['are what the object asks for', [{ key: 'a/a', wanted: '10.96.0.6' }], [{ address: '10.96.0.6' }]],
    [
      'go to the first by name when two ask for one',
      [
        { key: 'a/b', wanted: '10.96.0.6' },
        { key: 'a/a', wanted: '10.96.0.6' },
      ],
      [{ address: '10.96.0.6' }, { address: '10.96.0.4', refused: 'belongs to Service a/a' }],
    ],
    [
      'are others when the wanted one lies outside',
      [{ key: 'a/a', wanted: '10.43.0.1' }],
      [{ address: '10.96.0.1', refused: 'is outside the service range 10.96.0.5/29' }],
    ],
  ];
  for (const [name, given, got] of written) {
    it(name, () => {
      const addresses = allocateAddresses(given, small);
      assert.deepEqual(
        given
          .map(({ key }) => key)
          .sort(compareStrings)
          .map((key) => addresses.get(key)),
        got,
      );
    });
  }

  it('need a range that is one', () => {
    for (const cidr of ['', '10.96.0.0', '10.96.0.0/31', '10.96.0.0/x', '10.96.0/16', 'fd00::/64']) {
      assert.throws(() => addressRange(cidr), /must be an IPv4 range/);
    }
    assert.deepEqual(addressRange('10.96.0.0/16'), {
      cidr: '10.96.0.0/16',
      first: 0x0a600001,
      last: 0x0a60fffe,
    });
  });
});
