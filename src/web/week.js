/*
 * A week as a grid of local time. Every column has the same rows, so each wall-clock time is at one
 * height. Where clocks go back, the repeated stretch gets rows of its own (which the other days do not
 * have); where they go forward, the skipped stretch is empty. Heights are minutes from the top.
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const DAY_MINUTES = 24 * 60;

const formatters = new Map();

/** How far local time is ahead of UTC, ms. Throws a RangeError for a zone that does not exist. */
export function offsetAt(ms, zone) {
  let formatter = formatters.get(zone);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formatters.set(zone, formatter);
  }
  const whole = Math.floor(ms / SECOND) * SECOND;
  const part = {};
  for (const { type, value } of formatter.formatToParts(whole)) part[type] = Number(value);
  return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second) - whole;
}

/** The calendar day (`YYYY-MM-DD`) that it is in `zone`. */
export function dateAt(ms, zone) {
  return toDate(ms + offsetAt(ms, zone));
}

/** The day some days later. */
export function addDays(date, days) {
  return toDate(utcOf(date) + days * DAY);
}

/** The Monday on or before a day. */
export function mondayOf(date) {
  return addDays(date, -((new Date(utcOf(date)).getUTCDay() + 6) % 7));
}

/** The instant of a local time: the first of two, and the end of the gap for one that clocks skip. */
export function instantOf(date, minutes, zone) {
  const wall = utcOf(date) + minutes * MINUTE;
  const around = [offsetAt(wall - DAY, zone), offsetAt(wall + DAY, zone)].toSorted((a, b) => b - a);
  for (const offset of around) {
    if (offsetAt(wall - offset, zone) === offset) return wall - offset;
  }
  return findChange(wall - around[0] - SECOND, wall - around[1] + SECOND, zone);
}

/** The first instant after `low` whose offset is another than at `low`; `high` has another one. */
function findChange(low, high, zone) {
  const before = offsetAt(low, zone);
  let [from, to] = [Math.floor(low / SECOND), Math.ceil(high / SECOND)];
  while (to - from > 1) {
    const middle = Math.floor((from + to) / 2);
    if (offsetAt(middle * SECOND, zone) === before) from = middle;
    else to = middle;
  }
  return to * SECOND;
}

/**
 * The grid of the week that begins on `monday`.
 *
 * @returns `days` with their instants and the bands of rows that they do not have, `labels` for the
 *   rows (`again`: the second time of this name), `height`, and the week's first and last instant.
 */
export function layOutWeek(monday, zone) {
  const dates = Array.from({ length: 7 }, (_, n) => addDays(monday, n));
  const starts = [...dates, addDays(monday, 7)].map((date) => instantOf(date, 0, zone));
  const days = dates.map((date, index) => {
    const [startMs, endMs] = [starts[index], starts[index + 1]];
    return { date, startMs, endMs, parts: splitByOffset(utcOf(date), startMs, endMs, zone) };
  });
  const folds = findFolds(days);
  const week = {
    zone,
    folds,
    startMs: starts[0],
    endMs: starts[7],
    height: DAY_MINUTES + folds.reduce((sum, { minutes }) => sum + minutes, 0),
    labels: labelRows(folds),
  };
  return { ...week, days: days.map((day, index) => ({ ...day, missing: findMissing(day, index, folds) })) };
}

/** The stretches of a day in which the offset stays; `wall*` are local minutes since its midnight. */
function splitByOffset(midnight, startMs, endMs, zone) {
  const parts = [];
  for (let from = startMs; from < endMs;) {
    const offset = offsetAt(from, zone);
    let to = endMs;
    for (let probe = from; probe < endMs; probe += HOUR) {
      const next = Math.min(probe + HOUR, endMs - SECOND);
      if (offsetAt(next, zone) === offset) continue;
      to = findChange(probe, next, zone);
      break;
    }
    const wall = (ms) => (ms + offset - midnight) / MINUTE;
    parts.push({ startMs: from, endMs: to, wallStart: wall(from), wallEnd: wall(to) });
    from = to;
  }
  return parts;
}

/** Where clocks go back: on which day, at which instant, at what local time, how far, and the row that begins there. */
function findFolds(days) {
  const folds = days.flatMap(({ parts }, day) =>
    parts.slice(1).flatMap((part, n) => {
      const minutes = parts[n].wallEnd - part.wallStart;
      return minutes > 0 ? [{ day, atMs: part.startMs, wall: parts[n].wallEnd, minutes }] : [];
    }),
  );
  let inserted = 0;
  return folds
    .toSorted((a, b) => a.wall - b.wall)
    .map((fold) => {
      const top = fold.wall + inserted;
      inserted += fold.minutes;
      return { ...fold, top };
    });
}

function labelRows(folds) {
  const hours = Array.from({ length: 24 }, (_, hour) => {
    const wall = hour * 60;
    const inserted = folds.reduce((sum, fold) => sum + (wall >= fold.wall ? fold.minutes : 0), 0);
    return { top: wall + inserted, text: clock(wall), again: false };
  });
  const repeated = folds.flatMap(({ top, wall, minutes }) =>
    Array.from({ length: Math.ceil(minutes / 60) }, (_, n) => ({
      top: top + n * 60,
      text: clock(wall - minutes + n * 60),
      again: true,
    })),
  );
  return [...hours, ...repeated].toSorted((a, b) => a.top - b.top);
}

/** The rows that a day does not have: what its clocks skip, and what only another day repeats. */
function findMissing(day, index, folds) {
  const missing = folds
    .filter((fold) => fold.day !== index)
    .map(({ top, minutes }) => ({ top, bottom: top + minutes }));
  let reached = 0;
  for (const { wallStart, wallEnd } of [...day.parts, { wallStart: DAY_MINUTES, wallEnd: DAY_MINUTES }]) {
    if (wallStart > reached) {
      missing.push({
        top: rowOf(reached, false, index, undefined, folds),
        bottom: rowOf(wallStart, true, index, undefined, folds),
      });
    }
    reached = Math.max(reached, wallEnd);
  }
  return missing;
}

/** The height of a local time. An end that falls on a repeated stretch stays above it. */
function rowOf(wall, isEnd, day, part, folds) {
  return folds.reduce((row, fold) => {
    const isPast =
      fold.day === day && part !== undefined
        ? part.startMs >= fold.atMs
        : isEnd
          ? wall > fold.wall
          : wall >= fold.wall;
    return row + (isPast ? fold.minutes : 0);
  }, wall);
}

/**
 * Where an interval is in the grid: a piece per day it touches, two where clocks skip inside it.
 *
 * @returns pieces `{day, top, bottom, startMs, endMs, isWholeDay}`.
 */
export function placeInterval(week, startMs, endMs) {
  return week.days.flatMap((day, index) => {
    const isWholeDay = day.startMs < day.endMs && startMs <= day.startMs && endMs >= day.endMs;
    const pieces = [];
    for (const part of day.parts) {
      const [from, to] = [Math.max(startMs, part.startMs), Math.min(endMs, part.endMs)];
      if (from >= to) continue;
      const top = rowOf(part.wallStart + (from - part.startMs) / MINUTE, false, index, part, week.folds);
      const bottom = rowOf(part.wallStart + (to - part.startMs) / MINUTE, true, index, part, week.folds);
      const last = pieces.at(-1);
      if (last !== undefined && last.bottom === top) Object.assign(last, { bottom, endMs: to });
      else pieces.push({ day: index, top, bottom, startMs: from, endMs: to, isWholeDay });
    }
    return pieces;
  });
}

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

/** The weekly pattern of working hours as intervals that touch this week; it may be of another zone. */
export function findWorkingTimes(week, pattern) {
  return pattern.flatMap(({ day, start, end, timeZone = week.zone }) => {
    const from = minutesOf(start);
    const to = minutesOf(end) > from ? minutesOf(end) : minutesOf(end) + DAY_MINUTES;
    // A day more on either side: elsewhere it may be yesterday or tomorrow.
    return Array.from({ length: 9 }, (_, n) => addDays(week.days[0].date, n - 1))
      .filter((date) => WEEKDAYS[new Date(utcOf(date)).getUTCDay()] === day)
      .map((date) => ({ startMs: instantOf(date, from, timeZone), endMs: instantOf(date, to, timeZone) }))
      .filter(({ startMs, endMs }) => startMs < week.endMs && endMs > week.startMs);
  });
}

/** The local time of an instant, `HH:MM`. */
export function clockAt(ms, zone) {
  return clock(Math.floor((ms + offsetAt(ms, zone)) / MINUTE) % DAY_MINUTES);
}

function clock(minutes) {
  const whole = ((minutes % DAY_MINUTES) + DAY_MINUTES) % DAY_MINUTES;
  return [Math.floor(whole / 60), whole % 60].map((part) => String(part).padStart(2, '0')).join(':');
}

function minutesOf(time) {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}

function utcOf(date) {
  return Date.parse(`${date}T00:00:00Z`);
}

function toDate(ms) {
  return new Date(ms).toISOString().slice(0, 10);
}
