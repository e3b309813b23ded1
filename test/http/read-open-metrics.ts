/** A sample of OpenMetrics text. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** A metric family as its lines tell it. */
export interface ReadFamily {
  name: string;
  type: string;
  help: string;
  unit?: string;
  samples: Sample[];
}

const SUFFIXES: Record<string, string[]> = {
  counter: ['_total'],
  gauge: [''],
  histogram: ['_bucket', '_count', '_sum'],
};
const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/**
 * Reads OpenMetrics text as strictly as its grammar (OpenMetrics 1.0.0) is; throws where the text is not
 * valid: a family twice or its lines apart, a sample without a family or with a wrong suffix, a series twice,
 * a histogram that is not cumulative, a missing end.
 */
export function readOpenMetrics(text: string): ReadFamily[] {
  if (!text.endsWith('\n# EOF\n')) throw new Error('it does not end');
  const families: ReadFamily[] = [];
  for (const line of text.slice(0, -'# EOF\n'.length).split('\n').slice(0, -1)) {
    const [, kind, name = '', rest = ''] = /^# (TYPE|HELP|UNIT) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === undefined) {
      const sample = readSample(line);
      const family = families.at(-1);
      const isOwn =
        family !== undefined &&
        (SUFFIXES[family.type] ?? []).some((suffix) => sample.name === `${family.name}${suffix}`);
      if (!isOwn) throw new Error(`a sample of no family: ${line}`);
      family.samples.push(sample);
      continue;
    }
    let family = families.at(-1);
    if (family?.name !== name) {
      if (!NAME.test(name) || families.some((one) => one.name === name))
        throw new Error(`a bad name: ${line}`);
      family = { name, type: '', help: '', samples: [] };
      families.push(family);
    }
    if (family.samples.length > 0) throw new Error(`after its samples: ${line}`);
    if (kind === 'TYPE') family.type = rest;
    else if (kind === 'HELP') family.help = unescape(rest);
    else if (name.endsWith(`_${rest}`)) family.unit = rest;
    else throw new Error(`a unit that is not in the name: ${line}`);
  }
  for (const family of families) check(family);
  return families;
}

function readSample(line: string): Sample {
  const [, name, , inner, valueText = ''] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  let left = inner ?? '';
  while (left !== '') {
    const [whole = '', label = '', value = ''] =
      /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?=.)|$)/.exec(left) ?? [];
    if (whole === '' || Object.hasOwn(labels, label)) throw new Error(`bad labels: ${line}`);
    labels[label] = unescape(value);
    left = left.slice(whole.length);
  }
  if (!/^[+-]?(\d+(\.\d+)?([eE][+-]?\d+)?|Inf)$/.test(valueText)) throw new Error(`no value: ${line}`);
  return { name, labels, value: Number(valueText.replace('Inf', 'Infinity')) };
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
}

function check({ name, type, help, samples }: ReadFamily): void {
  if (SUFFIXES[type] === undefined) throw new Error(`${name} is of no type: ${type}`);
  if (help === '') throw new Error(`${name} is not explained`);
  const keys = samples.map((sample) => JSON.stringify([sample.name, labelsOf(sample)]));
  if (new Set(keys).size !== keys.length) throw new Error(`${name} has a series twice`);
  if (type === 'counter' && samples.some(({ value }) => value < 0)) throw new Error(`${name} is below zero`);
  if (type !== 'histogram') return;
  const seriesOf = (sample: Sample) =>
    labelsOf(sample)
      .filter((pair) => !pair.startsWith('["le",'))
      .join();
  for (const series of Map.groupBy(samples, seriesOf).values()) checkHistogram(name, series);
}

/** A sample's labels, whatever their order. */
function labelsOf({ labels }: Sample): string[] {
  return Object.entries(labels)
    .map((pair) => JSON.stringify(pair))
    .toSorted((a, b) => (a < b ? -1 : 1));
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map(({ labels: { le = '' } }) => {
    if (!/^(\d+\.\d+|\+Inf)$/.test(le)) throw new Error(`${name} has a bound that is none: ${le}`);
    return Number(le.replace('+Inf', 'Infinity'));
  });
  const values = buckets.map(({ value }) => value);
  const isRising = (numbers: readonly number[]) =>
    numbers.every((number, index) => index === 0 || (numbers[index - 1] ?? 0) <= number);
  if (!isRising(bounds) || bounds.at(-1) !== Infinity) throw new Error(`${name} has odd bounds`);
  if (!isRising(values)) throw new Error(`${name} is not cumulative`);
  const total = samples.filter((sample) => sample.name === `${name}_count`).map(({ value }) => value);
  const sums = samples.filter((sample) => sample.name === `${name}_sum`);
  if (total.length !== 1 || sums.length !== 1 || total[0] !== values.at(-1)) {
    throw new Error(`${name} does not add up`);
  }
}
