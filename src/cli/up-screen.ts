import { createStyle, type Style } from './style.ts';

/** What `weft up` shows once the mesh runs, and again when it changes. */
export type UpScreen = {
  readonly versions: { readonly weft: string; readonly envoy: string };
  /** `Campus Pay (demo)`, or the directory. */
  readonly title: string;
  readonly proxies: { readonly inSync: number; readonly total: number };
  readonly edges: { readonly mtls: number; readonly total: number };
  /** 0 to 1; absent before the first request. */
  readonly successRate?: number;
  readonly problems: number;
  readonly addresses: readonly { readonly name: string; readonly url: string }[];
  /** Commands to try. */
  readonly next: readonly string[];
};

/** A block of lines, without cursor movement: on a terminal and in a file alike. */
export function renderUpScreen(data: UpScreen, style: Style = plain): string {
  const width = Math.max(8, ...data.addresses.map(({ name }) => name.length));
  const line = (name: string, text: string): string => `  ${name.padEnd(width)}   ${text}\n`;
  return [
    `${style.paint('bold', `Weft ${data.versions.weft}`)}   ${data.title}   Envoy ${data.versions.envoy}\n`,
    line('Proxies', count(data.proxies.inSync, data.proxies.total, 'in sync', style)),
    line('mTLS', count(data.edges.mtls, data.edges.total, 'edges encrypted and mutual', style)),
    line('Success', success(data.successRate, style)),
    data.problems > 0
      ? line('Problems', style.hint(`${style.mark('warn')} warn ${data.problems}: weft status tells which`))
      : '',
    '\n',
    ...data.addresses.map(({ name, url }) => line(name, url)),
    data.addresses.length > 0 ? '\n' : '',
    ...data.next.map((command, index) => line(index === 0 ? 'Try' : '', style.hint(command))),
    line('End', 'Ctrl-C; it leaves nothing behind'),
  ].join('');
}

const plain: Style = createStyle({ colour: false, unicode: false });

function count(good: number, total: number, text: string, style: Style): string {
  if (total === 0) return `${style.mark('wait')} none yet`;
  const mark = good === total ? `${style.mark('ok')} ok` : `${style.mark('warn')} warn`;
  const percent = Math.floor((100 * good) / total);
  return `${mark} ${good}/${total} ${text} (${percent} %)`;
}

function success(rate: number | undefined, style: Style): string {
  if (rate === undefined) return `${style.mark('wait')} no request yet`;
  const mark = rate >= 0.99 ? `${style.mark('ok')} ok` : `${style.mark('warn')} warn`;
  return `${mark} ${(100 * rate).toFixed(2)} % of requests`;
}
