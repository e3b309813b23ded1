import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChangeRecord, Mirror } from '../../src/connector/mirror.ts';
import type { Store } from '../../src/connector/store.ts';
import type { Interval } from '../../src/domain/interval.ts';
import type { MirroredEvent } from '../../src/domain/mirror.ts';
import { inFreshObject, openStore } from './bench.ts';
import { BUSY, CALENDAR, CANCELLED, FREE, occurrence, series, single, TEAM } from './bench-mirror.ts';
import { DAY_MS, HOUR_MS, START_MS } from './world.ts';

const { id: ID } = CALENDAR;
const DAILY = ['RRULE:FREQ=DAILY;COUNT=3'];

/** What has changed since, in pages of this size, as somebody reads it who follows the numbers. */
function follow(mirror: Mirror, seq: number, most: number): ChangeRecord[] {
  const records: ChangeRecord[] = [];
  let since = seq;
  for (;;) {
    const page = mirror.changesSince(since, most);
    records.push(...page.records);
    if (!page.hasMore) return records;
    const last = page.records.at(-1)?.seq ?? 0;
    // A page that leads nowhere would be asked for again for ever.
    expect(last).toBeGreaterThan(since);
    since = last;
  }
}

/** Plainly what a mirror should hold: events by calendar, and when each was lost that is remembered. */
interface Model {
  events: Map<string, Map<string, MirroredEvent>>;
  goneAtMs: Map<string, number>;
}

const nameOf = (calendarId: string, eventId: string) => `${calendarId}/${eventId}`;

function applyTo(
  { events, goneAtMs }: Model,
  calendarId: string,
  page: { events: MirroredEvent[]; removed: string[] },
  nowMs: number,
): number {
  const own = events.get(calendarId) ?? new Map<string, MirroredEvent>();
  events.set(calendarId, own);
  const told = new Map(page.events.map((event) => [event.eventId, event]));
  const removed = new Set(page.removed);
  let rows = 0;
  const lost = new Set<string>();
  for (const [id, { seriesId = '' }] of own) {
    if (told.has(id) || !(removed.has(id) || removed.has(seriesId))) continue;
    rows += 1;
    lost.add(id);
  }
  for (const id of lost) {
    own.delete(id);
    goneAtMs.set(nameOf(calendarId, id), nowMs);
  }
  for (const [id, event] of told) {
    const isOrphaned = event.details === undefined && lost.has(event.seriesId ?? '');
    if (!isOrphaned && JSON.stringify(own.get(id)) === JSON.stringify(event)) continue;
    rows += 1;
    own.set(id, event);
    goneAtMs.delete(nameOf(calendarId, id));
  }
  return rows;
}

/** Takes a page in as one transaction, which may come to nothing. */
function takeIn(
  store: Store,
  mirror: Mirror,
  { calendarId, ...page }: { calendarId: string; events: MirroredEvent[]; removed: string[] },
  nowMs: number,
  isUndone: boolean,
): void {
  try {
    store.transaction(() => {
      mirror.apply(calendarId, page, nowMs);
      if (isUndone) throw new Error('undone');
    });
  } catch (thrown) {
    if (!isUndone) throw thrown;
  }
}

/** When somebody is busy, counted by hand: rules are daily, and all times are of UTC. */
function busyOf(events: ReadonlyMap<string, MirroredEvent>): string[] {
  const taken: Interval[] = [];
  for (const { eventId, kind, seriesId, time, recurrence, details } of events.values()) {
    if (time.kind !== 'timed') continue;
    if (kind === 'series') {
      const moved = [...events.values()].flatMap((one) =>
        one.seriesId === eventId && one.originalStart?.kind === 'timed' ? [one.originalStart.startMs] : [],
      );
      for (const day of recurrence === undefined ? [] : [0, 1, 2]) {
        const startMs = time.startMs + day * DAY_MS;
        if (!moved.includes(startMs) && details?.isBusy === true && details.status !== 'cancelled')
          taken.push({ startMs, endMs: startMs + HOUR_MS });
      }
      continue;
    }
    const said = details ?? (seriesId === undefined ? undefined : events.get(seriesId)?.details) ?? BUSY;
    if (said.isBusy && said.status !== 'cancelled') taken.push({ startMs: time.startMs, endMs: time.endMs });
  }
  return taken.map(({ startMs, endMs }) => `${startMs}-${endMs}`).toSorted();
}

/** Each living event and what is said of it, its series' words where it has none of its own. */
function worded(model: Model): Map<string, string> {
  const words = new Map<string, string>();
  for (const [calendarId, own] of model.events)
    for (const event of own.values()) {
      const details = event.details ?? own.get(event.seriesId ?? '')?.details;
      words.set(nameOf(calendarId, event.eventId), JSON.stringify({ ...event, details }));
    }
  return words;
}

describe('a mirror', () => {
  const hours = fc.integer({ min: 0, max: 60 });
  const detailsArb = fc.constantFrom(BUSY, FREE, CANCELLED);
  const seriesIds = fc.constantFrom('s', 't');
  const eventArb = fc.oneof(
    // An id may come to mean something else.
    fc.tuple(fc.constantFrom('a', 'b', 'c', 'o'), hours, detailsArb).map((of) => single(...of)),
    fc.tuple(seriesIds, hours, fc.constantFrom(undefined, DAILY), detailsArb).map((of) => series(...of)),
    fc
      .record({
        id: fc.constantFrom('o', 'p', 'q'),
        seriesId: seriesIds,
        at: hours,
        originalHours: fc.integer({ min: 0, max: 4 }).map((n) => n * 12),
        details: fc.option(detailsArb, { nil: undefined, freq: 1 }),
      })
      .map(({ id, seriesId, at, originalHours, details }) =>
        occurrence(id, seriesId, at, { originalHours, ...(details !== undefined && { details }) }),
      ),
  );
  const ids = fc.constantFrom('a', 'b', 'c', 's', 't', 'o', 'p', 'q', 'unknown');
  const stepArb = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        act: fc.constantFrom('page', 'page', 'page', 'undone', 'replay'),
        calendarId: fc.constantFrom(ID, TEAM.id),
        events: fc.array(eventArb, { maxLength: 5 }),
        removed: fc.array(ids, { maxLength: 2 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ act: fc.constantFrom('life', 'forget', 'list') }) },
  );

  it('is what a plain map would be, whatever is told, undone, repeated and forgotten, in any life', () =>
    inFreshObject((state) => {
      const { store, countRows } = openStore(state);
      fc.assert(
        fc.property(
          fc.array(stepArb, { minLength: 1, maxLength: 40 }),
          fc.integer({ min: 1, max: 6 }),
          (steps, most) => {
            store.query('DELETE FROM mirrored_event');
            store.query('DELETE FROM mirrored_calendar');
            let mirror = new Mirror(store);
            mirror.adoptList([CALENDAR, TEAM], START_MS);
            const model: Model = { events: new Map(), goneAtMs: new Map() };
            let nowMs = START_MS;
            let lastSeq = 0;
            let hasTeam = true;
            let page = { calendarId: ID, events: [] as MirroredEvent[], removed: [] as string[] };
            /** What somebody has who has followed the changes until then. */
            let followers = [{ seq: 0, words: worded(model) }];

            for (const step of steps) {
              nowMs += 4 * DAY_MS;
              let [rows, expected] = [0, 0];
              if ('events' in step) {
                const isSame = step.act === 'replay';
                page = isSame ? page : step;
                const isUndone = step.act === 'undone';
                rows = countRows(() => takeIn(store, mirror, page, nowMs, isUndone));
                expected = isUndone ? rows : applyTo(model, page.calendarId, page, nowMs);
              } else if (step.act === 'life') {
                mirror = new Mirror(store);
              } else if (step.act === 'forget') {
                const forgottenSeq = mirror.forgetGone(nowMs);
                for (const [name, atMs] of model.goneAtMs)
                  if (atMs < nowMs - 30 * DAY_MS) model.goneAtMs.delete(name);
                if (forgottenSeq !== undefined)
                  followers = followers.filter(({ seq }) => seq === 0 || seq >= forgottenSeq);
              } else {
                hasTeam = !hasTeam;
                mirror.adoptList(hasTeam ? [CALENDAR, TEAM] : [CALENDAR], nowMs);
                if (!hasTeam) {
                  for (const id of model.events.get(TEAM.id)?.keys() ?? [])
                    model.goneAtMs.set(nameOf(TEAM.id, id), nowMs);
                  model.events.delete(TEAM.id);
                }
                page = { calendarId: ID, events: [], removed: [] };
              }
              expect(rows).toBe(expected);
              expect(mirror.lastSeq).toBeGreaterThanOrEqual(lastSeq);
              ({ lastSeq } = mirror);
              followers.push({ seq: lastSeq, words: worded(model) });
            }

            const words = worded(model);
            for (const life of [mirror, new Mirror(store)]) {
              expect(life.lastSeq).toBe(lastSeq);
              for (const calendarId of [ID, TEAM.id]) {
                const own = model.events.get(calendarId) ?? new Map<string, MirroredEvent>();
                expect(life.idsOf(calendarId).toSorted()).toEqual([...own.keys()].toSorted());
                for (const [id, event] of own) expect(life.findEvent(calendarId, id)).toEqual(event);
                const range = { startMs: START_MS - DAY_MS, endMs: START_MS + 30 * DAY_MS };
                const busy = life.busy(calendarId, range) ?? [];
                expect(busy.map(({ startMs, endMs }) => `${startMs}-${endMs}`).toSorted()).toEqual(
                  busyOf(own),
                );
              }
              const all = follow(life, 0, most);
              const living = all.filter(({ event }) => event !== undefined);
              expect(living.map(({ calendarId, eventId }) => nameOf(calendarId, eventId)).toSorted()).toEqual(
                [...words.keys()].toSorted(),
              );
              const gone = new Set(
                all
                  .filter(({ event }) => event === undefined)
                  .map(({ calendarId, eventId }) => nameOf(calendarId, eventId)),
              );
              for (const name of model.goneAtMs.keys()) expect(gone).toContain(name);
              const names = all.map(({ calendarId, eventId }) => nameOf(calendarId, eventId));
              expect(new Set(names).size).toBe(names.length);
              expect(all.map(({ seq }) => seq)).toEqual(all.map(({ seq }) => seq).toSorted((a, b) => a - b));
              expect(follow(life, 0, 1_000)).toEqual(all);
            }
            for (const { seq, words: had } of followers) {
              const now = new Map(had);
              for (const { calendarId, eventId, event } of follow(mirror, seq, most)) {
                const name = nameOf(calendarId, eventId);
                if (event === undefined) now.delete(name);
                else now.set(name, words.get(name) ?? 'living?');
              }
              // Whoever has applied what changed has everything, and has it as it is.
              expect(now).toEqual(words);
            }
          },
        ),
        { numRuns: 150 },
      );
    }));
});
