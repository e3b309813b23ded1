import { badRequest } from './errors.ts';

const DATE = /^\d{8}$/;
const TIME = /^\d{8}T\d{6}Z?$/;
const PERIOD = /^\d{8}T\d{6}Z?\/(\d{8}T\d{6}Z?|P[0-9DTHMSW]+)$/;
const WHOLE = '[+-]?[1-9]\\d{0,2}';
const list = (item: string): RegExp => new RegExp(`^${item}(,${item})*$`);

// Parts of a rule and what may stand in them (RFC 5545, section 3.3.10). Google has no rules below a day.
const RULE_PARTS: Readonly<Record<string, RegExp>> = {
  FREQ: /^(DAILY|WEEKLY|MONTHLY|YEARLY)$/,
  UNTIL: /^\d{8}(T\d{6}Z)?$/,
  COUNT: /^[1-9]\d{0,5}$/,
  INTERVAL: /^[1-9]\d{0,4}$/,
  BYSECOND: list('\\d{1,2}'),
  BYMINUTE: list('\\d{1,2}'),
  BYHOUR: list('\\d{1,2}'),
  BYDAY: list(`(?:[+-]?[1-9]\\d?)?(?:MO|TU|WE|TH|FR|SA|SU)`),
  BYMONTHDAY: list(WHOLE),
  BYYEARDAY: list(WHOLE),
  BYWEEKNO: list(WHOLE),
  BYMONTH: list('(?:[1-9]|0[1-9]|1[0-2])'),
  BYSETPOS: list(WHOLE),
  WKST: /^(MO|TU|WE|TH|FR|SA|SU)$/,
};

/** Refuses lines that are no RRULE, EXRULE, RDATE or EXDATE of RFC 5545. DTSTART and DTEND are not allowed. */
export function checkRecurrence(lines: readonly string[]): void {
  for (const line of lines) {
    const [, name = '', parameters = '', value = ''] = /^([A-Z]+)((?:;[^:;]+)*):(.*)$/.exec(line) ?? [];
    const fine =
      name === 'RRULE' || name === 'EXRULE'
        ? parameters === '' && isRule(value)
        : (name === 'RDATE' || name === 'EXDATE') && areDates(name, parameters, value);
    if (!fine) throw badRequest('invalid', `Invalid recurrence rule: ${line}`, 'recurrence');
  }
}

function isRule(text: string): boolean {
  const parts = text.split(';').map((part) => part.split('='));
  const names = parts.map(([name = '']) => name);
  const known = parts.every(
    ([name = '', value = '', ...rest]) => rest.length === 0 && RULE_PARTS[name]?.test(value) === true,
  );
  const both = names.includes('COUNT') && names.includes('UNTIL');
  return known && !both && names.includes('FREQ') && new Set(names).size === names.length;
}

function areDates(name: string, parameters: string, text: string): boolean {
  const given = parameters === '' ? [] : parameters.slice(1).split(';');
  if (!given.every((one) => /^(TZID=.+|VALUE=(DATE|DATE-TIME|PERIOD))$/.test(one))) return false;
  const zone = given.find((one) => one.startsWith('TZID='))?.slice('TZID='.length);
  if (zone !== undefined && !isZone(zone)) return false;
  const kind = given.find((one) => one.startsWith('VALUE='))?.slice('VALUE='.length);
  if (kind === 'PERIOD') return name === 'RDATE' && text.split(',').every((one) => PERIOD.test(one));
  return text.split(',').every((one) => {
    if (kind === 'DATE') return DATE.test(one);
    return TIME.test(one) || (kind === undefined && DATE.test(one));
  });
}

function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
