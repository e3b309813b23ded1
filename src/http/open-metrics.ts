/** How OpenMetrics text is announced. */
export const OPEN_METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

type Labels = Readonly<Record<string, string>>;

/** A metric family: its name (without `_total`), what it is, and its series. */
export type Family = { name: string; help: string } & (
  | { type: 'counter' | 'gauge'; series: { labels: Labels; value: number }[] }
  | {
      type: 'histogram';
      unit: 'seconds';
      /** Upper bounds in seconds, rising; `+Inf` is added. */
      bounds: readonly number[];
      /** `counts`: per bucket, one more than there are bounds, not cumulative. */
      series: { labels: Labels; counts: readonly number[]; sum: number }[];
    }
);

/** Families as OpenMetrics text (version 1.0.0); one without series is announced all the same. */
export function renderOpenMetrics(families: readonly Family[]): string {
  return [...families.flatMap(renderFamily), '# EOF', ''].join('\n');
}

function renderFamily(family: Family): string[] {
  const { name, help, type } = family;
  const head = [
    `# TYPE ${name} ${type}`,
    ...(type === 'histogram' ? [`# UNIT ${name} ${family.unit}`] : []),
    `# HELP ${name} ${escape(help)}`,
  ];
  switch (family.type) {
    case 'gauge':
      return [...head, ...family.series.map(({ labels, value }) => sample(name, labels, value))];
    case 'counter':
      return [...head, ...family.series.map(({ labels, value }) => sample(`${name}_total`, labels, value))];
    case 'histogram':
      return [...head, ...family.series.flatMap((series) => renderHistogram(name, family.bounds, series))];
  }
}

function renderHistogram(
  name: string,
  bounds: readonly number[],
  { labels, counts, sum }: { labels: Labels; counts: readonly number[]; sum: number },
): string[] {
  let upTo = 0;
  const buckets = [...bounds.map(canonical), '+Inf'].map((le, index) => {
    upTo += counts[index] ?? 0;
    return sample(`${name}_bucket`, { ...labels, le }, upTo);
  });
  return [...buckets, sample(`${name}_count`, labels, upTo), sample(`${name}_sum`, labels, sum)];
}

function sample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`;
}

/** A bound in its canonical spelling: `1.0`, `0.25`. */
function canonical(bound: number): string {
  return Number.isInteger(bound) ? bound.toFixed(1) : String(bound);
}

function escape(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
