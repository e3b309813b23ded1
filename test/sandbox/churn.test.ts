import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Calendar } from './calendar-store.ts';
import { calendarAt, changesSince } from './journal.ts';
import { eventsWithin } from './occurrences.ts';
import type { Person } from './people.ts';
import { startSandbox } from './sandbox.ts';
import type { Sandbox } from './sandbox.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');
const YEAR = { startMs: NOW - 20 * 86_400_000, endMs: NOW + 400 * 86_400_000 };
let sandbox: Sandbox;
let ada: Person;
let primary: Calendar;

beforeEach(async () => {
  sandbox = await startSandbox({ now: () => NOW });
  ada = person('google', 'ada@example.com');
  primary = calendarOf(ada);
});
afterEach(async () => {
  await sandbox.close();
});

function person(provider: 'google' | 'microsoft', email: string): Person {
  return sandbox.people.add({ provider, email, name: email, timeZone: 'Europe/Berlin' });
}
function calendarOf(someone: Person): Calendar {
  const calendar = someone.calendar('primary')?.calendar;
  if (calendar === undefined) throw new Error('no primary calendar');
  return calendar;
}
const REVIEW = { summary: 'Review', start: '2026-11-24T10:00', end: '2026-11-24T11:00' };

describe('churn', () => {
  test.each(['google', 'microsoft'] as const)('does as many things as asked, of every sort, at %s', (at) => {
    const someone = person(at, `busy@${at}.example`);
    const edits = sandbox.churn(someone, { seed: 7, edits: 200 });
    expect(edits).toHaveLength(200);
    const deeds = new Set(edits.map(({ deed }) => deed));
    for (const deed of ['add weekly', 'move occurrence', 'cancel occurrence', 'move series', 'answer']) {
      expect(deeds).toContain(deed);
    }
    const events = eventsWithin(calendarOf(someone), YEAR);
    expect(events.length).toBeGreaterThan(20);
    expect(events.some(({ span }) => span.kind === 'all-day')).toBe(true);
  });

  test('does the same by the same seed, and leaves what clients made alone', async () => {
    const [one, other] = [person('google', 'one@example.com'), person('google', 'other@example.com')];
    const told = (someone: Person): unknown =>
      sandbox.churn(someone, { seed: 3, edits: 40 }).map(({ deed }) => deed);
    expect(told(one)).toEqual(told(other));
    const spans = (someone: Person): unknown =>
      [...calendarOf(someone).events.values()].map(({ span, summary, status }) => [span, summary, status]);
    expect(spans(one)).toEqual(spans(other));
    const { id } = ada.addEvent('primary', REVIEW);
    const hold = primary.events.get(id);
    if (hold !== undefined) primary.events.set(id, { ...hold, key: 'hold' });
    const reply = await fetch(`${sandbox.googleUrl}/sandbox/churn`, {
      method: 'POST',
      body: JSON.stringify({ person: ada.email, seed: 5, edits: 100 }),
    });
    expect([reply.status, primary.events.get(id)?.revision]).toEqual([200, hold?.revision]);
  });

  test('can be told again from the journal, from every revision on', () => {
    const from = primary.revision;
    const before = new Map<number, Calendar['events']>();
    for (let round = 0; round < 60; round += 1) {
      before.set(primary.revision, new Map(primary.events));
      sandbox.churn(ada, { edits: 1 });
    }
    for (const [revision, events] of before) expect(calendarAt(primary, revision).events).toEqual(events);
    expect(changesSince(primary, from)?.size).toBeGreaterThan(20);
    expect(changesSince(primary, primary.revision)?.size).toBe(0);
    expect(changesSince(primary, primary.revision + 1)).toBeUndefined();
    sandbox.expireSyncTokens(ada);
    expect(changesSince(primary, from)).toBeUndefined();
    expect(changesSince(primary, primary.revision)?.size).toBe(0);
  });
});

describe('a person', () => {
  test('changes an event: what is not named stays, and a new start keeps the length', () => {
    const { id } = ada.addEvent('primary', { ...REVIEW, location: 'Room 4' });
    const moved = ada.changeEvent('primary', id, { start: '2026-11-25T09:00' });
    expect(moved).toMatchObject({
      summary: 'Review',
      location: 'Room 4',
      span: { startMs: Date.parse('2026-11-25T08:00:00Z'), endMs: Date.parse('2026-11-25T09:00:00Z') },
    });
    expect(ada.changeEvent('primary', id, { declined: true })).toMatchObject({
      response: 'declined',
      showAs: 'free',
    });
    expect(ada.changeEvent('primary', id, { start: '2026-11-26', allDay: true }).span).toEqual({
      kind: 'all-day',
      startDate: '2026-11-26',
      endDate: '2026-11-27',
    });
    expect(ada.removeEvent('primary', id).status).toBe('cancelled');
  });

  test.each(['google', 'microsoft'] as const)('moves and cancels occurrences at %s', (at) => {
    const someone = person(at, `series@${at}.example`);
    const calendar = calendarOf(someone);
    const { id } = someone.addEvent('primary', { ...REVIEW, repeats: { frequency: 'weekly', times: 4 } });
    someone.moveOccurrence('primary', id, '2026-12-01T10:00', { start: '2026-12-01T15:00' });
    someone.cancelOccurrence('primary', id, '2026-12-08T10:00');
    const starts = (): string[] =>
      eventsWithin(calendar, YEAR).map(({ span }) =>
        span.kind === 'timed' ? new Date(span.startMs).toISOString().slice(0, 13) : span.startDate,
      );
    expect(starts()).toEqual(['2026-11-24T09', '2026-12-01T14', '2026-12-15T09']);
    const revision = calendar.revision;
    someone.changeEvent('primary', id, { start: '2026-11-25T12:00' });
    expect(starts()).toEqual(['2026-11-25T11', '2026-12-02T11', '2026-12-09T11', '2026-12-16T11']);
    const gone = [...(changesSince(calendar, revision)?.values() ?? [])].filter(
      ({ after }) => after === undefined,
    );
    expect(gone.map(({ before }) => before?.status)).toEqual(['confirmed', 'cancelled']);
    expect(() => someone.cancelOccurrence('primary', id, '2026-12-08T10:00')).toThrow('no event');
  });
});

test('who listens to the store hears of every act once', () => {
  const heard: string[][] = [];
  const { id } = ada.addEvent('primary', { ...REVIEW, repeats: { frequency: 'daily', times: 3 } });
  const stop = sandbox.store.onChange((_calendar, changes) => {
    heard.push(changes.map((change) => change.id));
  });
  ada.moveOccurrence('primary', id, '2026-11-25T10:00', { start: '2026-11-25T15:00' });
  ada.removeEvent('primary', id);
  stop();
  ada.addEvent('primary', REVIEW);
  expect(heard).toEqual([[`${id}_20261125T090000Z`], [`${id}_20261125T090000Z`, id]]);
});
