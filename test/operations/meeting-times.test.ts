import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { fail, ok } from '../../src/domain/failure.ts';
import { findMeetingTimes, findMeetingTimesOfAll } from '../../src/operations/meeting-times.ts';
import { type ActorCall, scriptActors } from '../actors.ts';
import { freshId, migrateDatabase } from '../database.ts';
import { addActiveConnector } from '../http/stage.ts';

beforeAll(migrateDatabase);

const HOUR_MS = 60 * 60 * 1000;
const NOW_MS = Date.UTC(2026, 10, 22);
const DAY_MS = Date.UTC(2026, 10, 23);
const QUESTION = {
  range: { startMs: DAY_MS, endMs: DAY_MS + 3 * HOUR_MS },
  timeZone: 'UTC',
  durationMs: HOUR_MS,
  limit: 10,
};

/** What an actor answers whose account is busy in these hours. */
const busyIn = (...hours: [string, string][]) =>
  ok({
    busy: hours.map(([start, end]) => ({
      start: `2026-11-23T${start}:00+00:00`,
      end: `2026-11-23T${end}:00+00:00`,
    })),
    calendars: [{ id: 'main', status: 'ok' }],
    freshness: { source: 'live', asOf: '2026-11-22T00:00:00+00:00' },
  });

async function openWith(answer: (call: ActorCall) => unknown) {
  const { CONNECTOR, calls } = scriptActors(answer);
  const [a, b] = [await addActiveConnector(freshId('user')), await addActiveConnector(freshId('user'))];
  return { a, b, calls, context: { env: { ...env, CONNECTOR }, now: () => NOW_MS } };
}

describe('meeting times of one', () => {
  it("are the actor's", async () => {
    const { a, calls, context } = await openWith(() => ok('what the actor says'));
    expect(await findMeetingTimes(a, { question: QUESTION }, context)).toEqual(ok('what the actor says'));
    expect(calls).toEqual([{ connectorId: a, method: 'meetingTimes', args: [QUESTION] }]);
  });

  it('are refused for what the actor fails in, and for an id that names none', async () => {
    const { a, calls, context } = await openWith(() =>
      fail({ kind: 'throttled', scope: 'user', retryAtMs: NOW_MS + 3_000 }),
    );
    expect(await findMeetingTimes(a, { question: QUESTION }, context)).toMatchObject({
      problem: { code: 'rate_limited', retryAfterSeconds: 3 },
    });
    calls.length = 0;
    expect(await findMeetingTimes(freshId(), { question: QUESTION }, context)).toMatchObject({
      problem: { code: 'not_found' },
    });
    expect(calls).toEqual([]);
  });
});

describe('meeting times of several', () => {
  it('ask each for its busy times as they are now, and suit all', async () => {
    const { a, b, calls, context } = await openWith(({ connectorId }) =>
      connectorId === a ? busyIn(['00:00', '01:00']) : busyIn(['02:15', '02:30']),
    );
    expect(await findMeetingTimesOfAll([a, b], QUESTION, context)).toMatchObject({
      ok: true,
      value: {
        suggestions: [{ start: '2026-11-23T01:00:00+00:00', end: '2026-11-23T02:00:00+00:00' }],
        calendars: [{ connectorId: a }, { connectorId: b }],
        source: 'computed',
      },
    });
    const question = { range: QUESTION.range, timeZone: 'UTC', maxStalenessMs: 0 };
    expect(calls).toEqual(
      [a, b].map((connectorId) => ({ connectorId, method: 'availability', args: [question] })),
    );
  });

  it('are none when one fails or cannot be reached: it stands there as unavailable', async () => {
    const { a, b, context } = await openWith(({ connectorId }) => {
      if (connectorId === a) return busyIn();
      throw new Error('the object was reset');
    });
    expect(await findMeetingTimesOfAll([a, b], QUESTION, context)).toMatchObject({
      ok: true,
      value: {
        suggestions: [],
        calendars: [
          { connectorId: a, id: 'main', status: 'ok' },
          { connectorId: b, id: b, status: 'unavailable', error: { code: 'provider_unavailable' } },
        ],
      },
    });
  });

  it('are refused, with nobody asked, when one is unknown', async () => {
    const { a, calls, context } = await openWith(() => busyIn());
    expect(await findMeetingTimesOfAll([a, freshId()], QUESTION, context)).toMatchObject({
      problem: { code: 'not_found' },
    });
    expect(calls).toEqual([]);
  });
});
