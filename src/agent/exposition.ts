/** One time series: its metric's name and its labels. The same object in every reading that shares a memory. */
export type Series = {
  /** Name and labels as text; equal for equal series. */
  readonly key: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
};

export type Sample = { readonly series: Series; readonly value: number };

/** A metric with everything that is known of it, as lines of Prometheus' text format. */
export type Family = { readonly name: string; readonly type: string; readonly lines: readonly string[] };

/** Envoy puts this before every name; the metrics behind it have Istio's names. */
const prefix = 'envoy_';
const ours = 'istio_';

const typeLine = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/;
const sampleLine =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*",?)*)\} ([-+.eE0-9]+)$/;
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

export type Target = { readonly namespace: string; readonly pod: string };

/**
 * One sidecar's metrics under Istio's names, with the pod they came from. A line that is not of that form, or that claims
 * to be of another pod, is left out: a sidecar may spoil its own metrics, never those of others.
 */
export function readFamilies(text: string, target: Target): Family[] {
  const families: { name: string; type: string; lines: string[] }[] = [];
  const own = `namespace="${target.namespace}",pod="${target.pod}"`;
  for (const line of text.split('\n')) {
    const [, metric, type] = typeLine.exec(line) ?? [];
    if (metric !== undefined && type !== undefined) {
      families.push({ name: metric.slice(prefix.length), type, lines: [] });
      continue;
    }
    const family = families.at(-1);
    const [, name = '', labels = '', value = ''] = sampleLine.exec(line) ?? [];
    if (family === undefined || !name.startsWith(prefix + family.name)) continue;
    if (!family.name.startsWith(ours) || /(?:^|,)(?:namespace|pod)="/.test(labels)) continue;
    const suffix = name.slice(prefix.length + family.name.length);
    if (!isSuffix(suffix, family.type)) continue;
    family.lines.push(`${family.name}${suffix}{${own}${labels && `,${withUnknowns(labels)}`}} ${value}`);
  }
  return families.filter(({ lines }) => lines.length > 0);
}

/** Envoy says `-` for what it does not know, and Istio's dashboards `unknown`. Of flags, `-` says that there are none. */
function withUnknowns(labels: string): string {
  return labels.replace(/([a-zA-Z_][a-zA-Z0-9_]*)="-"/g, (label, name: string) =>
    name === 'response_flags' ? label : `${name}="unknown"`,
  );
}

function isSuffix(suffix: string, type: string): boolean {
  return type === 'histogram' ? ['_bucket', '_sum', '_count'].includes(suffix) : suffix === '';
}

/** All of them as one text: each metric once, with one TYPE line. Who calls a metric by another type is left out. */
export function mergeFamilies(all: Iterable<Family>): string {
  const merged = new Map<string, { type: string; lines: string[] }>();
  for (const { name, type, lines } of all) {
    const known = merged.get(name);
    if (known === undefined) merged.set(name, { type, lines: [...lines] });
    else if (known.type === type) for (const line of lines) known.lines.push(line);
  }
  let text = '';
  for (const [name, { type, lines }] of merged) text += `# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
  return text;
}

/**
 * Samples by series, of the metrics asked for. `memory` gives series their one object; it is filled and never emptied,
 * so its owner replaces it from time to time.
 */
export function readSamples(
  families: Iterable<Family>,
  names: ReadonlySet<string>,
  memory: Map<string, Series> = new Map(),
): Map<string, Sample> {
  const samples = new Map<string, Sample>();
  for (const { lines } of families) {
    for (const line of lines) {
      if (!names.has(line.slice(0, line.indexOf('{')))) continue;
      const end = line.lastIndexOf(' ');
      const series = memory.get(line.slice(0, end)) ?? remember(line.slice(0, end), memory);
      samples.set(series.key, { series, value: Number(line.slice(end + 1)) });
    }
  }
  return samples;
}

function remember(text: string, memory: Map<string, Series>): Series {
  // A slice would keep the whole scrape in memory for as long as the series lives.
  const key = Buffer.from(text).toString();
  const open = key.indexOf('{');
  const labels: Record<string, string> = Object.create(null);
  for (const [, name = '', value = ''] of key.slice(open).matchAll(label)) labels[name] = unescaped(value);
  const series = { key, name: key.slice(0, open), labels };
  memory.set(key, series);
  return series;
}

function unescaped(value: string): string {
  return value.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
}
