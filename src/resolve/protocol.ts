import type { Protocol } from '../model/service.ts';

const words: Readonly<Record<string, Protocol>> = {
  http: 'http',
  http2: 'http2',
  https: 'tls',
  tls: 'tls',
  tcp: 'tcp',
  grpc: 'grpc',
  // HTTP on the wire, and over HTTP/1.1 as well.
  'grpc-web': 'http',
  mongo: 'tcp',
  mysql: 'tcp',
  redis: 'tcp',
  'kubernetes.io/h2c': 'http2',
  'kubernetes.io/ws': 'http',
  'kubernetes.io/wss': 'tls',
};

/** Where the server speaks first, or sniffing does harm. */
const serverFirst: ReadonlySet<number> = new Set([25, 53, 3306, 27017]);

type DeclaredPort = { readonly appProtocol?: string; readonly name?: string; readonly number: number };

/** Istio's selection: `appProtocol` alone when given, else the word before the first `-` of the name, else by number. */
export function selectProtocol({ appProtocol, name = '', number }: DeclaredPort): Protocol {
  if (appProtocol !== undefined) return word(appProtocol) ?? 'auto';
  return namedProtocol(name) ?? (serverFirst.has(number) ? 'tcp' : 'auto');
}

export function namedProtocol(name: string): Protocol | undefined {
  const lower = name.toLowerCase();
  if (lower === 'grpc-web' || lower.startsWith('grpc-web-')) return word('grpc-web');
  return word(lower.split('-', 1)[0] ?? '');
}

function word(text: string): Protocol | undefined {
  const lower = text.toLowerCase();
  return Object.hasOwn(words, lower) ? words[lower] : undefined;
}

export function isHttp(protocol: Protocol): boolean {
  return protocol !== 'tcp' && protocol !== 'tls';
}
