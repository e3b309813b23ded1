import { type Interval, overlaps } from '../../src/domain/interval.ts';

const SLOT_MS = 30 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** One person's line of the picture. Times in epoch milliseconds. */
export interface Line {
  name: string;
  busy: readonly Interval[];
  /** Drawn apart from what else is busy. */
  meeting?: Interval;
}

/**
 * Draws a week as text: a block per day, a line per person, a mark per half hour (`█` busy, `◆` the
 * meeting, `·` free). `days` are the starts of the days in the zone the picture is in.
 */
export function drawWeek(days: readonly number[], lines: readonly Line[], timeZone: string): string {
  const width = Math.max(...lines.map(({ name }) => name.length));
  const dayName = new Intl.DateTimeFormat('en-GB', {
    weekday: 'short',
    day: '2-digit',
    month: 'short',
    timeZone,
  });
  const hours = Array.from({ length: 8 }, (_, index) =>
    String(index * 3)
      .padStart(2, '0')
      .padEnd(6),
  ).join('');
  const blocks = days.map((dayMs) => {
    const rows = lines.map(({ name, busy, meeting }) => {
      const marks = Array.from({ length: DAY_MS / SLOT_MS }, (_, index) => {
        const slot = { startMs: dayMs + index * SLOT_MS, endMs: dayMs + (index + 1) * SLOT_MS };
        if (meeting !== undefined && overlaps(meeting, slot)) return '◆';
        return busy.some((interval) => overlaps(interval, slot)) ? '█' : '·';
      });
      return `  ${name.padEnd(width)}  ${marks.join('')}`;
    });
    return [`${dayName.format(dayMs).padEnd(width + 4)}${hours}`, ...rows].join('\n');
  });
  return blocks.join('\n');
}
