import { element, notice } from './dom.js';
import { clockAt, dateAt, findWorkingTimes, placeInterval } from './week.js';

const dayName = new Intl.DateTimeFormat('en-GB', { weekday: 'short', timeZone: 'UTC' });
const longDay = new Intl.DateTimeFormat('en-GB', {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  timeZone: 'UTC',
});

/**
 * An answer of the API drawn as a week.
 *
 * @param now epoch milliseconds.
 * @returns what to show, and `tick`, which moves the line of the present time, and says how old the answer is by now.
 */
export function drawWeek(week, answer, now) {
  const busy = answer.busy.map(({ start, end }) => ({ startMs: Date.parse(start), endMs: Date.parse(end) }));
  const unread = answer.calendars.filter(({ status }) => status !== 'ok');
  const pieces = busy.flatMap(({ startMs, endMs }) => placeInterval(week, startMs, endMs));
  const working = findWorkingTimes(week, answer.workingHours ?? []).flatMap(({ startMs, endMs }) =>
    placeInterval(week, startMs, endMs),
  );
  const nowLine = element('div', { className: 'now', hidden: true });
  const heads = week.days.map(({ date }) =>
    element(
      'div',
      { className: 'head', 'aria-hidden': true },
      element('span', {}, dayName.format(utc(date))),
      element('b', {}, String(Number(date.slice(8)))),
    ),
  );
  const columns = week.days.map((day, index) =>
    element(
      'div',
      { className: `column${unread.length > 0 ? ' unknown' : ''}` },
      ...working.filter((piece) => piece.day === index).map((piece) => band('working', piece, week)),
      ...pieces.filter((piece) => piece.day === index).map((piece) => drawBusy(piece, week)),
      ...day.missing.map((piece) => band('missing', piece, week)),
    ),
  );
  const grid = element(
    'div',
    { className: 'week', role: 'img', 'aria-label': `${pieces.length} busy times; they are listed below` },
    element('div', { className: 'head corner' }),
    ...heads,
    element('div', { className: 'gutter all-day-label' }, 'all day'),
    ...week.days.map((_, index) => {
      const isBusy = pieces.some((piece) => piece.day === index && piece.isWholeDay);
      return element('div', { className: `all-day${isBusy ? ' busy' : ''}` }, isBusy ? 'busy' : '');
    }),
    element(
      'div',
      { className: 'gutter hours' },
      ...week.labels.map(({ top, text, again }) =>
        place(element('span', { className: again ? 'again' : '' }, again ? `${text}²` : text), { top }, week),
      ),
    ),
    element(
      'div',
      { className: 'columns' },
      ...week.labels.map(({ top }) => place(element('hr'), { top }, week)),
      ...columns,
      nowLine,
    ),
  );
  grid.style.setProperty('--hours', String(week.height / 60));

  const source = describeSource(answer, week.zone, now);

  const tick = (nowMs) => {
    source.tick(nowMs);
    const [piece] = placeInterval(week, nowMs, nowMs + 1);
    nowLine.hidden = piece === undefined;
    const today = dateAt(nowMs, week.zone);
    for (const [index, head] of heads.entries())
      head.classList.toggle('today', week.days[index].date === today);
    if (piece === undefined) return;
    place(nowLine, { top: piece.top }, week);
    nowLine.style.setProperty('--day', String(piece.day));
  };
  tick(now);

  const shown = element(
    'div',
    {},
    ...(unread.length > 0 ? [warnOf(unread, answer.calendars)] : []),
    source.shown,
    grid,
    drawLegend(week, answer, unread.length > 0),
    listBusy(week, pieces, unread.length > 0),
    listCalendars(answer.calendars),
  );
  return { shown, tick };
}

function warnOf(unread, calendars) {
  const all = unread.length === calendars.length;
  return notice(
    'bad',
    all
      ? 'No calendar could be read.'
      : `${unread.length} of ${calendars.length} calendars could not be read.`,
    'Where no busy time is drawn, this person’s time is unknown, not free.',
  );
}

function describeSource({ freshness }, zone, now) {
  const asOf = Date.parse(freshness.asOf);
  const at = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    dateStyle: dateAt(asOf, zone) === dateAt(now, zone) ? undefined : 'medium',
    timeStyle: 'medium',
  }).format(asOf);
  // Not read out each minute.
  const age = element('span', { 'aria-live': 'off' });
  const tick = (nowMs) => {
    const text = `(${describeAge(nowMs - asOf)} ago)`;
    if (age.textContent !== text) age.textContent = text;
  };
  const text =
    freshness.source === 'live'
      ? `Live: asked the provider at ${at} `
      : `From the worker’s own copy, in step with the provider at ${at} `;
  return { shown: element('p', { className: 'freshness' }, text, age, '.'), tick };
}

function describeAge(ms) {
  const minutes = Math.floor(ms / 60_000);
  return minutes < 1 ? 'less than a minute' : minutes === 1 ? 'a minute' : `${minutes} minutes`;
}

function drawBusy(piece, week) {
  const { from, to } = timesOf(piece, week);
  const drawn = element(
    'div',
    { className: `busy${piece.isWholeDay ? ' whole-day' : ''}`, title: `Busy ${from} to ${to}` },
    ...(piece.isWholeDay ? [] : [from, element('span', { className: 'to' }, `–${to}`)]),
  );
  const minutes = piece.bottom - piece.top;
  if (minutes < 45) drawn.classList.add('short');
  if (minutes < 25) drawn.classList.add('very-short');
  return place(drawn, piece, week);
}

function band(className, piece, week) {
  return place(element('div', { className }), piece, week);
}

/** Gives an element its rows. Set from script, because the page's policy allows no style attributes. */
function place(drawn, { top, bottom }, week) {
  drawn.style.top = `${(100 * top) / week.height}%`;
  if (bottom !== undefined) drawn.style.height = `${(100 * (bottom - top)) / week.height}%`;
  return drawn;
}

function timesOf({ day, startMs, endMs }, week) {
  const to = endMs === week.days[day].endMs ? '24:00' : clockAt(endMs, week.zone);
  return { from: clockAt(startMs, week.zone), to };
}

function drawLegend(week, { workingHours }, isIncomplete) {
  const zones = [...new Set((workingHours ?? []).map(({ timeZone }) => timeZone ?? week.zone))];
  const key = (className, text) => element('span', { className: 'key' }, element('i', { className }), text);
  return element(
    'p',
    { className: 'legend' },
    key('busy', 'busy'),
    isIncomplete ? key('unknown', 'unknown') : undefined,
    zones.length === 0
      ? element('span', {}, 'The account names no working hours.')
      : key('working', `working hours, as set in ${zones.join(', ')}`),
    week.days.some(({ missing }) => missing.length > 0)
      ? key('missing', 'does not exist: the clocks change this week (² is the second time around)')
      : undefined,
  );
}

/** The same as the drawing, in words. */
function listBusy(week, pieces, isIncomplete) {
  const days = week.days.map(({ date }, index) => {
    const times = pieces
      .filter(({ day }) => day === index)
      .map((piece) => {
        if (piece.isWholeDay) return 'all day';
        const { from, to } = timesOf(piece, week);
        return `${from}–${to}`;
      });
    const unique = [...new Set(times)];
    const nothing = isIncomplete ? 'nothing known' : 'free';
    return [
      element('dt', {}, longDay.format(utc(date))),
      element('dd', {}, unique.length === 0 ? nothing : unique.join(', ')),
    ];
  });
  return element(
    'details',
    {},
    element('summary', {}, 'The busy times as a list'),
    element('dl', {}, ...days.flat()),
  );
}

function listCalendars(calendars) {
  const unread = calendars.filter(({ status }) => status !== 'ok').length;
  const title = `Calendars: ${calendars.length - unread} read${unread > 0 ? `, ${unread} not` : ''}`;
  return element(
    'details',
    { open: unread > 0 },
    element('summary', {}, title),
    element(
      'ul',
      { className: 'calendars' },
      ...calendars.map(({ id, status, error }) =>
        element(
          'li',
          {},
          element('span', { className: `badge ${status === 'ok' ? 'good' : 'bad'}` }, status),
          element('span', { className: 'id' }, id),
          error === undefined
            ? undefined
            : element('small', {}, element('code', {}, error.code), ` ${error.message}`),
        ),
      ),
    ),
  );
}

function utc(date) {
  return Date.parse(`${date}T00:00:00Z`);
}
