import { create } from '@bufbuild/protobuf';
import {
  type Address,
  AddressSchema,
  type CidrRange,
  CidrRangeSchema,
} from '../../../gen/envoy/config/core/v3/address_pb.ts';

export function socketAddress(address: string, port: number): Address {
  return create(AddressSchema, {
    address: { case: 'socketAddress', value: { address, portSpecifier: { case: 'portValue', value: port } } },
  });
}

export function isIpv6(address: string): boolean {
  return address.includes(':');
}

/** `10.0.0.0/8`, or an address alone for just that address. Throws on anything else. */
export function cidrRange(text: string): CidrRange {
  const [address = '', length] = text.split('/');
  const longest = isIpv6(address) ? 128 : 32;
  const prefixLen = length === undefined ? longest : Number(length);
  const looksRight = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$/.test(address);
  if (!looksRight || !Number.isInteger(prefixLen) || prefixLen < 0 || prefixLen > longest || length === '') {
    throw new Error(`"${text}" is not an address range; write it like 10.0.0.0/8`);
  }
  return create(CidrRangeSchema, { addressPrefix: address, prefixLen });
}
