import { beforeAll, describe, expect, it } from 'vitest';
import { fail, type Failure, ok } from '../../src/domain/failure.ts';
import { scriptActors } from '../actors.ts';
import { freshId, migrateDatabase } from '../database.ts';
import { addActiveConnector, NOW_MS, openHouse, readProblem } from './stage.ts';

beforeAll(migrateDatabase);

const QUESTION = {
  timeMin: '2031-11-24T09:00:00',
  timeMax: '2031-11-24T11:00:00',
  timeZone: 'Europe/Berlin',
  durationMinutes: 60,
};
const RANGE = { startMs: Date.UTC(2031, 10, 24, 8), endMs: Date.UTC(2031, 10, 24, 10) };

async function openWith(answer?: Parameters<typeof scriptActors>[0]) {
  const { CONNECTOR, calls } = scriptActors(answer);
  const { send } = openHouse({ CONNECTOR });
  const connectorId = await addActiveConnector(freshId('user'));
  const ask = (json: unknown) => send(`/v1/connectors/${connectorId}/meeting-times`, { json });
  const askAll = (json: unknown) => send('/v1/meeting-times', { json });
  return { ask, askAll, calls, connectorId };
}

describe('POST /v1/connectors/:id/meeting-times', () => {
  it('asks the actor just what was asked, and passes its answer on', async () => {
    const answer = { suggestions: [], calendars: [], source: 'computed' };
    const { ask, calls, connectorId } = await openWith(() => ok(answer));
    const response = await ask({
      ...QUESTION,
      connectorId,
      calendars: ['a'],
      workingHours: 'ignore',
      limit: 3,
    });
    expect([response.status, await response.json()]).toEqual([200, answer]);
    expect(response.headers.get('Cache-Control')).toBe('no-store');
    const question = {
      range: RANGE,
      timeZone: 'Europe/Berlin',
      durationMs: 3_600_000,
      limit: 3,
      calendars: ['a'],
      workingHours: 'ignore',
    };
    expect(calls).toEqual([{ connectorId, method: 'meetingTimes', args: [question] }]);
  });

  it.each<[string, object, string]>([
    ['of another connector', { connectorId: 'other' }, 'connectorId'],
    ['that ends before it starts', { timeMax: '2031-11-22T00:00:00Z' }, 'timeMax'],
    ['of 63 days', { timeMax: '2032-01-26T09:00:00' }, 'timeMax'],
    ['of a nonsense zone', { timeZone: 'Mars' }, 'timeZone'],
    ['for a meeting longer than its range', { durationMinutes: 121 }, 'durationMinutes'],
    ['for no suggestions', { limit: 0 }, 'limit'],
  ])('refuses a question %s before any actor is asked', async (_, change, field) => {
    const { ask, calls } = await openWith();
    const { status, code, errors } = await readProblem(await ask({ ...QUESTION, ...change }));
    expect({ status, code }).toEqual({ status: 400, code: 'invalid_request' });
    expect(errors?.map(({ path }) => path)).toEqual([field]);
    expect(calls).toEqual([]);
  });

  it.each<[Failure, number, string, string | null]>([
    [{ kind: 'throttled', scope: 'user', retryAtMs: NOW_MS + 7_000 }, 429, 'rate_limited', '7'],
    [{ kind: 'unavailable', ambiguous: false }, 503, 'provider_unavailable', '5'],
    [{ kind: 'grant-revoked', detail: 'x' }, 409, 'reauth_required', null],
  ])('turns the failure %j into its problem', async (failure, status, code, retryAfter) => {
    const { ask } = await openWith(() => fail(failure));
    const response = await ask(QUESTION);
    expect(response.headers.get('Retry-After')).toBe(retryAfter);
    expect(await readProblem(response)).toMatchObject({ status, code });
  });
});

describe('POST /v1/meeting-times', () => {
  it('answers with times that suit all', async () => {
    const { askAll, connectorId } = await openWith(() =>
      ok({
        busy: [{ start: '2031-11-24T08:00:00+00:00', end: '2031-11-24T08:30:00+00:00' }],
        calendars: [{ id: 'main', status: 'ok' }],
        freshness: { source: 'live', asOf: '2031-05-05T06:07:08+00:00' },
      }),
    );
    const response = await askAll({ ...QUESTION, connectorIds: [connectorId] });
    expect([response.status, await response.json()]).toEqual([
      200,
      {
        suggestions: [{ start: '2031-11-24T09:30:00+01:00', end: '2031-11-24T10:30:00+01:00' }],
        timeZone: 'Europe/Berlin',
        calendars: [{ connectorId, id: 'main', status: 'ok' }],
        source: 'computed',
        freshness: { source: 'live', asOf: '2031-05-05T08:07:08+02:00' },
      },
    ]);
  });

  it('refuses a question that names no connectors, one twice, calendars, or one that is not there', async () => {
    const { askAll, calls, connectorId } = await openWith();
    const refused = async (json: object) => {
      const { status, errors } = await readProblem(await askAll({ ...QUESTION, ...json }));
      return [status, errors?.map(({ path }) => path)];
    };
    expect(await refused({})).toEqual([400, ['connectorIds']]);
    expect(await refused({ connectorIds: [] })).toEqual([400, ['connectorIds']]);
    expect(await refused({ connectorIds: [connectorId, connectorId] })).toEqual([400, ['connectorIds']]);
    expect(await refused({ connectorIds: [connectorId], calendars: ['a'] })).toEqual([400, ['calendars']]);
    expect(await refused({ connectorIds: [connectorId, freshId()] })).toEqual([404, undefined]);
    expect(calls).toEqual([]);
  });
});
