import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import packet, { type Answer, type DecodedPacket, type Packet } from 'dns-packet';
import type { Logger } from '../base/log.ts';
import { defaultSettings } from '../model/mesh.ts';
import type { ServiceSpec } from '../sources/specs.ts';
import type { KubeObject } from '../sources/types.ts';
import type { EndpointSlice } from './endpoints.ts';

/** Addresses by full name, in lower case and without the last dot. */
export type Zone = ReadonlyMap<string, readonly string[]>;

const ttl = 5;

/** The names of all Services: a VIP, or for a headless Service the pods that are ready. */
export function makeZone(services: Iterable<KubeObject>, slices: readonly EndpointSlice[]): Zone {
  const zone = new Map<string, readonly string[]>();
  for (const { metadata, spec } of services) {
    // The source lets only objects through that their kind's schema accepts.
    const { clusterIP } = spec as ServiceSpec;
    const { namespace, name } = metadata;
    const ready = (): string[] =>
      slices
        .filter((slice) => slice.namespace === namespace && slice.service === name)
        .flatMap(({ endpoints }) => endpoints.filter((endpoint) => endpoint.ready).map(({ ip }) => ip));
    if (clusterIP === undefined || clusterIP === '') continue;
    zone.set(
      `${name}.${namespace}.svc.${defaultSettings.clusterDomain}`,
      clusterIP === 'None' ? ready() : [clusterIP],
    );
  }
  return zone;
}

/**
 * The answer to one query. Every answer is given at once: there is no other server to ask, and an app that looks for a name
 * outside the mesh is better off with a quick no.
 */
export function answerQuery(query: DecodedPacket, zone: Zone): Packet {
  const question = query.questions?.[0];
  const name = question?.name.toLowerCase().replace(/\.$/, '') ?? '';
  const addresses = zone.get(name);
  // A name that others stand under exists, though it has no records; saying otherwise would deny those too.
  const exists = addresses !== undefined || [...zone.keys()].some((key) => key.endsWith(`.${name}`));
  const answers: Answer[] =
    question?.type === 'A'
      ? (addresses ?? []).map((data) => ({ type: 'A', name: question.name, ttl, data }))
      : [];
  const code = exists ? 0 : 3;
  const recursion = (query.flags ?? 0) & packet.RECURSION_DESIRED;
  return {
    type: 'response',
    id: query.id ?? 0,
    flags: packet.AUTHORITATIVE_ANSWER | packet.RECURSION_AVAILABLE | recursion | code,
    questions: question === undefined ? [] : [question],
    answers,
  };
}

export type DnsOptions = {
  readonly address: string;
  readonly port: number;
  readonly zone: () => Zone;
  readonly log: Logger;
};

/** Serves UDP and TCP; the promise of the second half resolves when both are closed. */
export async function serveDns(options: DnsOptions, signal: AbortSignal): Promise<void> {
  const { address, port, zone, log } = options;
  const answer = (bytes: Buffer): Packet | undefined => {
    try {
      const query = packet.decode(bytes);
      return query.type === 'query' ? answerQuery(query, zone()) : undefined;
    } catch (error) {
      log.warn('a DNS query could not be read', { reason: String(error) });
      return undefined;
    }
  };

  const udp = createSocket('udp4');
  udp.on('message', (bytes, from) => {
    const reply = answer(bytes);
    if (reply) udp.send(datagram(reply), from.port, from.address);
  });
  udp.on('error', (error) => log.warn('DNS over UDP', { reason: error.message }));
  const tcp = createServer((socket) => serveConnection(socket, answer));
  await Promise.all([
    new Promise<void>((resolve) => udp.bind(port, address, resolve)),
    new Promise<void>((resolve, reject) => tcp.on('error', reject).listen(port, address, resolve)),
  ]);
  signal.addEventListener('abort', () => {
    udp.close();
    tcp.close();
  });
}

/** What does not fit says so, and the client comes again over TCP. */
function datagram(reply: Packet): Buffer {
  const bytes = packet.encode(reply);
  if (bytes.length <= 512) return bytes;
  return packet.encode({ ...reply, answers: [], flags: (reply.flags ?? 0) | packet.TRUNCATED_RESPONSE });
}

function serveConnection(socket: Socket, answer: (bytes: Buffer) => Packet | undefined): void {
  let buffered = Buffer.alloc(0);
  socket.setTimeout(5_000, () => socket.destroy());
  // A client that goes away is no news.
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes: Buffer) => {
    buffered = Buffer.concat([buffered, bytes]);
    while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
      const length = buffered.readUInt16BE(0);
      const reply = answer(buffered.subarray(2, 2 + length));
      buffered = buffered.subarray(2 + length);
      if (reply) socket.write(packet.streamEncode(reply));
    }
  });
}
