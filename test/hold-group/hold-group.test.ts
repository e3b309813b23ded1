import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Performance } from '../../src/connector/actor.ts';
import { fail, ok, type Outcome, type TaskError } from '../../src/domain/failure.ts';
import type { GroupHoldRequest } from '../../src/domain/hold.ts';
import type { CalendarTask } from '../../src/domain/task.ts';
import { type Group, groupSchema } from '../../src/hold-group/group-state.ts';
import { HoldGroup } from '../../src/hold-group/hold-group.ts';

const START_MS = Date.UTC(2026, 10, 23, 8);
const MINUTE_MS = 60_000;
const REQUEST: GroupHoldRequest = {
  holdId: 'h',
  slots: [{ connectorId: 'c' }, { connectorId: 'a', calendarId: 'team' }, { connectorId: 'b' }],
  start: '2026-11-24T09:00:00',
  end: '2026-11-24T10:00:00',
  timeZone: 'Europe/Berlin',
  ttlSeconds: 900,
  onConflict: 'reject',
};
const TAKEN: TaskError = {
  code: 'conflict',
  message: 'The time is already taken.',
  retryable: false,
  conflicts: [{ start: '2026-11-24T09:00:00+01:00', end: '2026-11-24T09:30:00+01:00' }],
};
const CONFIRMATION = { summary: 'Planning', attendees: [{ email: 'guest@example.com' }] };

/** What becomes of a call to a connector: `slow` is done only after the caller has given up waiting. */
type Weather = 'fair' | 'slow' | 'lost' | 'unreached';

/** Connectors as a group sees them: each task is done once, whatever happens to the calls for it. */
function createConnectors(now: () => number) {
  const holds = new Map<string, 'held' | 'confirmed' | 'cancelled'>();
  const ends = new Map<string, Performance>();
  const calls: { connectorId: string; type: string; payload: unknown }[] = [];
  const world = {
    holds,
    calls,
    /** The connectors on which the time is taken. */
    taken: new Set<string>(),
    weather: (_task: CalendarTask): Weather => 'fair',
  };
  const carryOut = ({
    connectorId,
    type,
  }: {
    connectorId: string;
    type: string;
  }): { result: object } | { error: TaskError } => {
    const state = holds.get(connectorId);
    const over = (message: string) => ({ error: { code: 'conflict', message, retryable: false } as const });
    switch (type) {
      case 'place-hold':
        if (world.taken.has(connectorId)) return { error: TAKEN };
        holds.set(connectorId, 'held');
        break;
      case 'confirm-hold':
        if (state !== 'held') return over('The hold is over.');
        holds.set(connectorId, 'confirmed');
        break;
      case 'cancel-hold':
        if (state === 'confirmed') return over('The hold is confirmed.');
        holds.set(connectorId, 'cancelled');
        break;
      case 'cancel-event':
        holds.set(connectorId, 'cancelled');
        break;
      default:
        throw new Error(`no task of a group: ${type}`);
    }
    const result = {
      holdId: 'h',
      state: holds.get(connectorId),
      eventId: `event-of-${connectorId}`,
      expiresAt: new Date(now() + 16 * MINUTE_MS).toISOString(),
    };
    return { result };
  };
  const perform = async (task: CalendarTask & { id: string }): Promise<Outcome<Performance>> => {
    calls.push({ connectorId: task.connectorId, type: task.type, payload: task.payload });
    const weather = world.weather(task);
    if (weather === 'unreached') throw new Error('the network broke');
    const name = `${task.connectorId} ${task.id}`;
    let end = ends.get(name);
    if (end === undefined) {
      const isLate = now() >= (task.deadlineMs ?? Infinity);
      const done = isLate
        ? { error: { code: 'provider_unavailable', message: 'late', retryable: false } as const }
        : carryOut(task);
      const { id, type } = task;
      end = {
        submission: 'accepted',
        report:
          'error' in done
            ? { id, type, state: 'failed', attempts: 1, error: done.error }
            : { id, type, state: 'done', attempts: 1, result: done.result },
      };
      ends.set(name, end);
    }
    if (weather === 'lost') throw new Error('the reply was lost');
    if (weather === 'slow') {
      return await Promise.resolve(
        ok({
          submission: 'accepted',
          report: { id: task.id, type: task.type, state: 'running', attempts: 0 },
        }),
      );
    }
    return ok(end);
  };
  return { ...world, world, perform };
}

/** A group on a shelf that outlives it, with a clock of its own. */
function createStage() {
  let nowMs = START_MS;
  let stored: string | undefined;
  let ids = 0;
  /** One that goes off is delivered again when its handler does not come to its end, as the platform does. */
  const alarm: { atMs: number | undefined; underWay: boolean } = { atMs: undefined, underWay: false };
  const connectors = createConnectors(() => nowMs);
  const open = (perform = connectors.perform) => {
    if (alarm.underWay) alarm.atMs ??= nowMs + 1;
    alarm.underWay = false;
    return new HoldGroup({
      shelf: {
        read: () => (stored === undefined ? undefined : groupSchema.parse(JSON.parse(stored))),
        write(group: Group) {
          stored = JSON.stringify(group);
        },
      },
      wipe: () => {
        stored = undefined;
        alarm.atMs = undefined;
        return Promise.resolve();
      },
      setAlarm: (atMs) => {
        expect(atMs).toBeGreaterThan(nowMs);
        alarm.atMs = atMs;
        return Promise.resolve();
      },
      perform,
      now: () => nowMs,
      random: () => 0.5,
      randomId: () => `round-${(ids += 1)}`,
    });
  };
  /** Lets the clock run, the alarm going off on its way. */
  const pass = async (group: HoldGroup, ms: number) => {
    const untilMs = nowMs + ms;
    while (alarm.atMs !== undefined && alarm.atMs <= untilMs) {
      nowMs = Math.max(nowMs, alarm.atMs);
      alarm.atMs = undefined;
      alarm.underWay = true;
      // oxlint-disable-next-line no-await-in-loop
      await group.alarm();
      alarm.underWay = false;
    }
    nowMs = untilMs;
  };
  return { connectors, open, pass, alarm, isEmpty: () => stored === undefined };
}

describe('a hold over several connectors', () => {
  it('is placed on each, in the order of their ids, and told in the order of the request', async () => {
    const { connectors, open } = createStage();
    expect(await open().place(REQUEST)).toEqual({
      ok: true,
      value: {
        isRepeat: false,
        hold: {
          holdId: 'h',
          state: 'held',
          start: '2026-11-24T09:00:00+01:00',
          end: '2026-11-24T10:00:00+01:00',
          expiresAt: '2026-11-23T09:15:00+01:00',
          slots: [
            { connectorId: 'c', state: 'held', eventId: 'event-of-c' },
            { connectorId: 'a', calendarId: 'team', state: 'held', eventId: 'event-of-a' },
            { connectorId: 'b', state: 'held', eventId: 'event-of-b' },
          ],
        },
      },
    });
    expect(connectors.calls.map(({ connectorId }) => connectorId)).toEqual(['a', 'b', 'c']);
    expect(connectors.calls[0]?.payload).toMatchObject({
      holdId: 'group:round-1',
      groupId: 'h',
      calendarId: 'team',
      // A minute more than the group: none lets go while it is being confirmed.
      ttlSeconds: 960,
    });
  });

  it('is on none when one refuses, says which, and asks those after it for nothing', async () => {
    const { connectors, open } = createStage();
    connectors.taken.add('b');
    expect(await open().place(REQUEST)).toEqual({ ok: false, error: { ...TAKEN, connectorId: 'b' } });
    expect([...connectors.holds]).toEqual([
      ['a', 'cancelled'],
      ['b', 'cancelled'],
    ]);
    connectors.taken.clear();
    expect(await open().place(REQUEST)).toMatchObject({ ok: true, value: { hold: { state: 'held' } } });
  });

  it('is the same when it is asked for again, and its id is no other', async () => {
    const { connectors, open } = createStage();
    const group = open();
    await group.place(REQUEST);
    expect(await group.place(REQUEST)).toMatchObject({ ok: true, value: { isRepeat: true } });
    expect(await group.place({ ...REQUEST, end: '2026-11-24T11:00:00' })).toMatchObject({
      ok: false,
      error: { code: 'idempotency_mismatch' },
    });
    expect(connectors.calls).toHaveLength(3);
  });

  it('is let go on all, also before it came, and as often as one likes', async () => {
    const { connectors, open, pass } = createStage();
    const group = open();
    await group.place(REQUEST);
    for (let time = 0; time < 2; time += 1) {
      expect(await group.cancel('h')).toMatchObject({ ok: true, value: { hold: { state: 'cancelled' } } });
    }
    expect(new Set(connectors.holds.values())).toEqual(new Set(['cancelled']));

    const other = createStage();
    const early = other.open();
    expect(await early.cancel('h')).toMatchObject({
      ok: true,
      value: { hold: { state: 'cancelled', slots: [] } },
    });
    expect(await early.place(REQUEST)).toMatchObject({ ok: true, value: { hold: { state: 'cancelled' } } });
    expect(other.connectors.calls).toEqual([]);
    await other.pass(early, 16 * MINUTE_MS);
    expect(await early.place(REQUEST)).toMatchObject({ ok: true, value: { hold: { state: 'held' } } });
    await pass(group, 0);
  });

  it('becomes the event on each; the first alone invites, and comes last', async () => {
    const { connectors, open } = createStage();
    const group = open();
    await group.place(REQUEST);
    connectors.calls.length = 0;
    expect(await group.confirm(CONFIRMATION)).toMatchObject({
      ok: true,
      value: { isRepeat: false, hold: { state: 'confirmed' } },
    });
    expect(connectors.calls.map(({ connectorId, payload }) => [connectorId, payload])).toEqual([
      ['a', { holdId: 'group:round-1', summary: 'Planning' }],
      ['b', { holdId: 'group:round-1', summary: 'Planning' }],
      ['c', { holdId: 'group:round-1', ...CONFIRMATION }],
    ]);
    expect(await group.confirm(CONFIRMATION)).toMatchObject({ ok: true, value: { isRepeat: true } });
    expect(await group.confirm({ summary: 'Other' })).toMatchObject({
      ok: false,
      error: { code: 'idempotency_mismatch' },
    });
    expect(await group.cancel('h')).toMatchObject({ ok: false, error: { code: 'conflict' } });
  });

  it('is no event anywhere when one connector cannot confirm it', async () => {
    const { connectors, open } = createStage();
    const group = open();
    await group.place(REQUEST);
    connectors.holds.set('b', 'cancelled');
    expect(await group.confirm(CONFIRMATION)).toMatchObject({ ok: false, error: { connectorId: 'b' } });
    expect(new Set(connectors.holds.values())).toEqual(new Set(['cancelled']));
    expect(connectors.calls.filter(({ type }) => type === 'cancel-event')).toMatchObject([
      { connectorId: 'a', payload: { eventId: 'event-of-a', calendarId: 'team' } },
    ]);
    expect(await group.confirm(CONFIRMATION)).toMatchObject({ ok: false, error: { code: 'conflict' } });
  });

  it('runs out when the first of its holds does, and is forgotten a day later', async () => {
    const { open, pass, isEmpty } = createStage();
    const group = open();
    await group.place(REQUEST);
    await pass(group, 15 * MINUTE_MS);
    expect(group.show()).toMatchObject({ ok: true, value: { hold: { state: 'expired' } } });
    expect(await group.confirm(CONFIRMATION)).toMatchObject({ ok: false, error: { code: 'conflict' } });
    await pass(group, 25 * 60 * MINUTE_MS);
    expect(isEmpty()).toBe(true);
    expect(group.show()).toMatchObject({ ok: false, error: { code: 'not_found' } });
  });

  it('goes on by itself when a connector is slow', async () => {
    const { connectors, open, pass } = createStage();
    const group = open();
    connectors.world.weather = ({ connectorId }) => (connectorId === 'b' ? 'slow' : 'fair');
    expect(await group.place(REQUEST)).toMatchObject({ ok: true, value: { hold: { state: 'placing' } } });
    expect(await group.confirm(CONFIRMATION)).toMatchObject({
      ok: false,
      error: { code: 'provider_unavailable', retryable: true },
    });
    connectors.world.weather = () => 'fair';
    await pass(group, 10_000);
    expect(group.show()).toMatchObject({ ok: true, value: { hold: { state: 'held' } } });
  });

  it('is let go where it was placed when a connector cannot be reached for a minute', async () => {
    const { connectors, open, pass } = createStage();
    const group = open();
    connectors.world.weather = ({ connectorId, type }) =>
      connectorId === 'c' && type === 'place-hold' ? 'unreached' : 'fair';
    await group.place(REQUEST);
    await pass(group, 5 * MINUTE_MS);
    expect(group.show()).toMatchObject({ ok: true, value: { hold: { state: 'cancelled' } } });
    expect([...connectors.holds.values()].filter((state) => state === 'held')).toEqual([]);
  });

  it('asks again those who could not let go, until they have', async () => {
    for (const failure of [
      { kind: 'misconfigured', detail: 'a deploy' },
      { kind: 'grant-revoked', detail: 'gone' },
    ] as const) {
      const { connectors, open, pass } = createStage();
      let isDown = false;
      const group = open((task) =>
        isDown && task.connectorId === 'a' ? Promise.resolve(fail(failure)) : connectors.perform(task),
      );
      await group.place(REQUEST);
      isDown = true;
      expect(await group.cancel('h')).toMatchObject({ ok: true, value: { hold: { state: 'releasing' } } });
      expect(connectors.holds.get('c')).toBe('cancelled');
      isDown = false;
      await pass(group, 10 * MINUTE_MS);
      expect(group.show()).toMatchObject({ ok: true, value: { hold: { state: 'cancelled' } } });
      expect(new Set(connectors.holds.values())).toEqual(new Set(['cancelled']));
    }
  });

  it('takes back the event of a person whose grant is dead for a while', async () => {
    const { connectors, open, pass } = createStage();
    let isDead = false;
    const group = open((task) =>
      isDead && task.connectorId === 'a'
        ? Promise.resolve(fail({ kind: 'grant-revoked', detail: 'gone' }))
        : connectors.perform(task),
    );
    await group.place(REQUEST);
    connectors.world.weather = ({ connectorId }) => {
      if (connectorId === 'b') isDead = true;
      return 'fair';
    };
    connectors.holds.set('b', 'cancelled');
    expect(await group.confirm(CONFIRMATION)).toMatchObject({ ok: false, error: { connectorId: 'b' } });
    expect(connectors.holds.get('a')).toBe('confirmed');
    connectors.world.weather = () => 'fair';
    isDead = false;
    await pass(group, 60 * MINUTE_MS);
    expect(connectors.holds.get('a')).toBe('cancelled');
    expect(group.show()).toMatchObject({ value: { hold: { state: 'cancelled' } } });
  });

  it('says of a connector that never let its event go that it is stuck', async () => {
    const { connectors, open, pass } = createStage();
    let isDead = false;
    const group = open((task) =>
      isDead && task.connectorId === 'a'
        ? Promise.resolve(fail({ kind: 'grant-revoked', detail: 'gone' }))
        : connectors.perform(task),
    );
    await group.place(REQUEST);
    connectors.holds.set('b', 'cancelled');
    connectors.world.weather = ({ connectorId }) => {
      if (connectorId === 'b') isDead = true;
      return 'fair';
    };
    await group.confirm(CONFIRMATION);
    await pass(group, 25 * 60 * MINUTE_MS);
    expect(group.show()).toMatchObject({
      value: { hold: { state: 'cancelled', slots: [{}, { connectorId: 'a', state: 'stuck' }, {}] } },
    });
  });

  it('is the same for good under one key, also when it has been let go', async () => {
    const { connectors, open } = createStage();
    const group = open();
    await group.place(REQUEST, 'key-1');
    await group.cancel('h');
    connectors.calls.length = 0;
    expect(await group.place(REQUEST, 'key-1')).toMatchObject({
      ok: true,
      value: { isRepeat: true, hold: { state: 'cancelled' } },
    });
    expect(connectors.calls).toEqual([]);
    expect(await group.place(REQUEST, 'key-2')).toMatchObject({ value: { hold: { state: 'held' } } });
  });

  it('can be looked at while it is under way', async () => {
    const { open } = createStage();
    const begun = Promise.withResolvers<void>();
    const group = open(() => {
      begun.resolve();
      return new Promise(() => {});
    });
    void group.place(REQUEST);
    await begun.promise;
    expect(group.show()).toMatchObject({ ok: true, value: { hold: { state: 'placing' } } });
  });

  it('that has run out is let go everywhere before its id holds anew', async () => {
    const { connectors, open, pass } = createStage();
    const group = open();
    await group.place(REQUEST);
    connectors.calls.length = 0;
    await pass(group, 15 * MINUTE_MS);
    expect(connectors.calls.map(({ type, payload }) => [type, payload])).toEqual(
      ['c', 'a', 'b'].map(() => ['cancel-hold', { holdId: 'group:round-1', hasExpired: true }]),
    );
    expect(await group.place(REQUEST)).toMatchObject({ value: { isRepeat: false, hold: { state: 'held' } } });
  });

  it('takes no hold or event of anybody else for its own', async () => {
    const { connectors, open } = createStage();
    const group = open((task) =>
      task.connectorId === 'b' && task.type === 'place-hold'
        ? Promise.resolve(
            ok({
              submission: 'accepted',
              report: {
                id: task.id,
                type: task.type,
                state: 'done',
                attempts: 1,
                result: { holdId: 'h', state: 'confirmed', eventId: 'of somebody else' },
              },
            }),
          )
        : connectors.perform(task),
    );
    expect(await group.place(REQUEST)).toMatchObject({ ok: false, error: { connectorId: 'b' } });
    expect(connectors.calls.map(({ type }) => type)).not.toContain('cancel-event');
  });

  it('tells at once of an account that nobody is signed in to', async () => {
    const { open } = createStage();
    const group = open(() => Promise.resolve(fail({ kind: 'grant-revoked', detail: 'gone' })));
    expect(await group.place(REQUEST)).toMatchObject({
      ok: false,
      error: { code: 'reauth_required', connectorId: 'a' },
    });
  });
});

it('all or nothing, whatever goes wrong on the way and wherever it is cut off', async () => {
  const anyWeathers = fc.infiniteStream(
    fc.constantFrom<Weather>('fair', 'fair', 'slow', 'lost', 'unreached'),
  );
  await fc.assert(
    fc.asyncProperty(
      anyWeathers,
      fc.subarray(['a', 'b', 'c']),
      fc.array(fc.constantFrom('place', 'confirm', 'cancel', 'wait', 'crash'), { maxLength: 10 }),
      fc.nat({ max: 8 }),
      async (weathers, taken, story, dieAfter) => {
        const { connectors, open, pass } = createStage();
        for (const id of taken) connectors.taken.add(id);
        connectors.world.weather = () => weathers.next().value ?? 'fair';
        // Dies in the middle of a call: whoever waits for it waits for ever.
        let left = dieAfter;
        let group = open((task) => {
          left -= 1;
          return left < 0 ? new Promise(() => {}) : connectors.perform(task);
        });
        const attempt = async (act: Promise<unknown>) => {
          await Promise.race([act, new Promise((resolve) => setTimeout(resolve, 1))]);
        };
        for (const act of story) {
          if (act === 'place') await attempt(group.place(REQUEST));
          if (act === 'confirm') await attempt(group.confirm(CONFIRMATION));
          if (act === 'cancel') await attempt(group.cancel('h'));
          if (act === 'wait') await attempt(pass(group, 5_000));
          if (act === 'crash') group = open();
        }
        group = open();
        connectors.world.weather = () => 'fair';
        await pass(group, 12 * MINUTE_MS);
        const states = new Set(['a', 'b', 'c'].map((id) => connectors.holds.get(id) ?? 'cancelled'));
        const shown = group.show();
        const phase = shown.ok ? shown.value.hold.state : 'cancelled';
        expect(['held', 'confirmed', 'cancelled']).toContain(phase);
        expect([...states]).toEqual([phase]);
      },
    ),
    { numRuns: 200, seed: 20_261_124 },
  );
});
