const WHOLE = '[+-]?[1-9]\\d{0,2}';
const list = (item: string) => new RegExp(`^${item}(,${item})*$`);

/** The parts of a rule and what may stand in them (RFC 5545 §3.3.10). */
const RULE_PARTS: Readonly<Record<string, RegExp>> = {
  FREQ: /^(SECONDLY|MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY|YEARLY)$/,
  UNTIL: /^\d{8}(T\d{6}Z?)?$/,
  COUNT: /^0*[1-9]\d{0,8}$/,
  INTERVAL: /^0*[1-9]\d{0,8}$/,
  BYSECOND: list('\\d{1,2}'),
  BYMINUTE: list('\\d{1,2}'),
  BYHOUR: list('\\d{1,2}'),
  BYDAY: list('(?:[+-]?[1-9]\\d?)?(?:MO|TU|WE|TH|FR|SA|SU)'),
  BYMONTHDAY: list(WHOLE),
  BYYEARDAY: list(WHOLE),
  BYWEEKNO: list(WHOLE),
  BYMONTH: list('(?:0?[1-9]|1[0-2])'),
  BYSETPOS: list(WHOLE),
  WKST: /^(MO|TU|WE|TH|FR|SA|SU)$/,
};

/**
 * What is wrong with an `RRULE:` line as RFC 5545 §3.3.10 has it, in words for its writer; undefined for
 * a rule that can be read. Whether a provider can say it is another matter.
 */
export function findRuleProblem(line: string): string | undefined {
  const parts = line
    .slice('RRULE:'.length)
    .toUpperCase()
    .split(';')
    .map((part) => part.split('='));
  const names = parts.map(([name = '']) => name);
  for (const [name = '', value = '', ...rest] of parts) {
    const pattern = RULE_PARTS[name];
    if (pattern === undefined)
      return name === '' ? 'has an empty part' : `has a part ${name} that RFC 5545 does not know`;
    if (rest.length > 0 || !pattern.test(value)) return `has a ${name} that cannot be read`;
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return `has two parts ${twice}`;
  if (!names.includes('FREQ')) return 'needs a FREQ';
  if (names.includes('COUNT') && names.includes('UNTIL')) return 'cannot have both COUNT and UNTIL';
  return undefined;
}

/** How often a rule repeats, as its FREQ says: `DAILY`, `WEEKLY`, …; empty when there is none. */
export function frequencyOf(lines: readonly string[]): string {
  const rule = lines.find((line) => /^RRULE:/i.test(line)) ?? '';
  return /(?:^RRULE:|;)FREQ=([A-Z]+)/i.exec(rule)?.[1]?.toUpperCase() ?? '';
}
