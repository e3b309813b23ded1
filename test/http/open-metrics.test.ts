import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Family, renderOpenMetrics } from '../../src/http/open-metrics.ts';
import { readOpenMetrics } from './read-open-metrics.ts';

const REQUESTS: Family = {
  name: 'requests',
  help: 'Requests.',
  type: 'counter',
  series: [{ labels: { code: '200' }, value: 3 }],
};

describe('OpenMetrics text', () => {
  it('has types, units, help, samples and an end', () => {
    const text = renderOpenMetrics([
      REQUESTS,
      { name: 'room', help: 'Room.', type: 'gauge', series: [{ labels: {}, value: 0.5 }] },
      {
        name: 'wait_seconds',
        help: 'Waits.',
        type: 'histogram',
        unit: 'seconds',
        bounds: [0.25, 1],
        series: [{ labels: { lane: 'a' }, counts: [1, 0, 2], sum: 9.5 }],
      },
    ]);
    expect(text).toBe(`# TYPE requests counter
# HELP requests Requests.
requests_total{code="200"} 3
# TYPE room gauge
# HELP room Room.
room 0.5
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
# HELP wait_seconds Waits.
wait_seconds_bucket{lane="a",le="0.25"} 1
wait_seconds_bucket{lane="a",le="1.0"} 1
wait_seconds_bucket{lane="a",le="+Inf"} 3
wait_seconds_count{lane="a"} 3
wait_seconds_sum{lane="a"} 9.5
# EOF
`);
    expect(readOpenMetrics(text)).toHaveLength(3);
  });

  it('of nothing is its end alone', () => {
    expect(renderOpenMetrics([])).toBe('# EOF\n');
  });

  it('can be read again, whatever stands in labels and help', () => {
    const anyText = fc.string({ unit: fc.constantFrom('a', '"', '\\', '\n', '{', '}', ',', ' ', 'ü', 'n') });
    fc.assert(
      fc.property(anyText, anyText, fc.nat(), (label, help, value) => {
        const family: Family = {
          name: 'requests',
          help: `Help: ${help}`,
          type: 'counter',
          series: [{ labels: { a: label, b: 'x' }, value }],
        };
        expect(readOpenMetrics(renderOpenMetrics([family]))).toEqual([
          {
            name: 'requests',
            type: 'counter',
            help: `Help: ${help}`,
            samples: [{ name: 'requests_total', labels: { a: label, b: 'x' }, value }],
          },
        ]);
      }),
    );
  });
});

describe('the reader of these tests', () => {
  it.each([
    ['no end', '# TYPE a gauge\n# HELP a A.\na 1\n'],
    ['a counter without its suffix', '# TYPE a counter\n# HELP a A.\na 1\n# EOF\n'],
    ['a series twice', '# TYPE a gauge\n# HELP a A.\na{x="1"} 1\na{x="1"} 2\n# EOF\n'],
    ['an escape that is none', '# TYPE a gauge\n# HELP a A.\na{x="\\t"} 1\n# EOF\n'],
    ['a sample of no family', 'a 1\n# EOF\n'],
    [
      'buckets that fall',
      '# TYPE a histogram\n# HELP a A.\na_bucket{le="1.0"} 2\na_bucket{le="+Inf"} 1\na_count 1\na_sum 1\n# EOF\n',
    ],
    ['no last bucket', '# TYPE a histogram\n# HELP a A.\na_bucket{le="1.0"} 1\na_count 1\na_sum 1\n# EOF\n'],
  ])('refuses %s', (_, text) => {
    expect(() => readOpenMetrics(text)).toThrow(/./);
  });
});
