import type { EventRecord } from '../../src/domain/event.ts';
import { fail, ok, type Outcome } from '../../src/domain/failure.ts';
import type { Interval } from '../../src/domain/interval.ts';
import type { World } from './world.ts';

/** An event of the double. */
export interface DoubleEvent extends Interval {
  key: string;
  summary: string;
  isHold: boolean;
  attendees: string[];
}

/**
 * What happens to a call: it goes well, never arrives, is carried out though its reply is lost, is carried out
 * `late` (by `arrive`, long after its sender has given up), or is refused.
 */
export type Weather = 'fair' | 'down' | 'lost' | 'late' | 'refused';

/**
 * A calendar at a provider that outlives its actors: keys make one event for ever, a removed one stays
 * taken. `weather` says what becomes of the next call; `log` names each change that was carried out.
 */
export function createCalendarDouble({ script }: World) {
  const events = new Map<string, DoubleEvent>();
  const used = new Set<string>();
  const log: string[] = [];
  const underWay: (() => void)[] = [];
  const double = {
    events,
    log,
    busy: [] as Interval[],
    weather: (_call: string): Weather => 'fair',
    /** What is late arrives now. */
    arrive: () => {
      for (const deed of underWay.splice(0)) deed();
    },
  };
  const tell = ({ key, startMs, endMs, isHold }: DoubleEvent): EventRecord => ({
    eventId: key,
    calendarId: 'primary',
    iCalUid: key,
    etag: '"1"',
    start: new Date(startMs).toISOString(),
    end: new Date(endMs).toISOString(),
    status: isHold ? 'tentative' : 'confirmed',
  });
  /** Carries a call out as the weather is. */
  function call<T>(name: string, deed: () => Outcome<T>): Promise<Outcome<T>> {
    switch (double.weather(name)) {
      case 'fair':
        return Promise.resolve(deed());
      case 'down':
        return Promise.resolve(fail({ kind: 'unavailable', ambiguous: false }));
      case 'refused':
        return Promise.resolve(fail({ kind: 'rejected', status: 400, code: 'no' }));
      case 'late':
        underWay.push(deed);
        return Promise.resolve(fail({ kind: 'unavailable', ambiguous: true }));
      case 'lost':
        deed();
        return Promise.resolve(fail({ kind: 'unavailable', ambiguous: true }));
    }
  }
  const remove = (key: string): Outcome<void> => {
    if (events.delete(key)) log.push(`removed ${key}`);
    return ok(undefined);
  };
  script.readBusy = ({ range }) =>
    call('readBusy', () => {
      const taken = [...double.busy, ...events.values()].filter(
        ({ startMs, endMs }) => startMs < range.endMs && range.startMs < endMs,
      );
      return ok({ calendars: [{ id: 'primary', busy: ok(taken) }] });
    });
  script.createEvent = ({ key }, draft) =>
    call('create', () => {
      const there = events.get(key);
      if (there !== undefined) return ok(tell(there));
      if (used.has(key)) return ok({ ...tell({ ...NOWHERE, key }), status: 'cancelled' as const });
      if (draft.time.kind === 'all-day') throw new Error('the double has no all-day events');
      const { startMs, endMs } = draft.time;
      const { summary, attendees } = draft;
      const event = { key, startMs, endMs, summary, attendees, isHold: draft.holdId !== undefined };
      events.set(key, event);
      used.add(key);
      log.push(`created ${key}`);
      return ok(tell(event));
    });
  script.updateEvent = ({ eventId, summary = '', attendees = [] }) =>
    call('update', () => {
      const event = events.get(eventId);
      if (event === undefined) return fail({ kind: 'not-found', what: 'event' });
      if (event.isHold) log.push(`confirmed ${eventId}`);
      const changed = { ...event, summary, attendees, isHold: false };
      events.set(eventId, changed);
      return ok(tell(changed));
    });
  script.cancelEvent = ({ eventId }) => call('cancel', () => remove(eventId));
  script.removeCreated = ({ key }) => call('remove', () => remove(key));
  return double;
}

const NOWHERE: DoubleEvent = { key: '', startMs: 0, endMs: 1, summary: '', isHold: true, attendees: [] };
