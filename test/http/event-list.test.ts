import { beforeAll, describe, expect, it } from 'vitest';
import { fail, type Failure, ok } from '../../src/domain/failure.ts';
import { scriptActors } from '../actors.ts';
import { freshId, migrateDatabase } from '../database.ts';
import { addActiveConnector, NOW_MS, openHouse, readProblem } from './stage.ts';

beforeAll(migrateDatabase);

const QUESTION = 'timeMin=2026-11-23T09:00:00%2B01:00&timeMax=2026-11-23T17:00:00%2B01:00';
const RANGE = { startMs: Date.UTC(2026, 10, 23, 8), endMs: Date.UTC(2026, 10, 23, 16) };

async function openWith(answer?: Parameters<typeof scriptActors>[0]) {
  const { CONNECTOR, calls } = scriptActors(answer);
  const { send } = openHouse({ CONNECTOR });
  const connectorId = await addActiveConnector(freshId('user'));
  const ask = (query: string) => send(`/v1/connectors/${connectorId}/events?${query}`);
  return { ask, calls, connectorId };
}

describe('GET /v1/connectors/:id/events', () => {
  it('asks the actor just what was asked, and passes its answer on', async () => {
    const answer = { events: [], calendars: [], freshness: { source: 'mirror', asOf: '…' } };
    const { ask, calls, connectorId } = await openWith(() => ok(answer));
    const response = await ask(
      `${QUESTION}&timeZone=Europe/Berlin&calendars=a&calendars=b%2Bc@x&calendars=a&maxStalenessMs=5000`,
    );
    expect([response.status, await response.json()]).toEqual([200, answer]);
    expect(response.headers.get('Cache-Control')).toBe('no-store');
    const question = {
      range: RANGE,
      timeZone: 'Europe/Berlin',
      calendars: ['a', 'b+c@x'],
      maxStalenessMs: 5000,
    };
    expect(calls).toEqual([{ connectorId, method: 'events', args: [question] }]);
  });

  it('asks of every calendar that counts, in UTC and of any age, unless it is told otherwise', async () => {
    const { ask, calls } = await openWith();
    await ask(QUESTION);
    expect(calls.map(({ args }) => args)).toEqual([[{ range: RANGE, timeZone: 'UTC' }]]);
  });

  it('understands a plus that was not escaped, where no space can be meant', async () => {
    const { ask, calls } = await openWith();
    await ask('timeMin=2026-11-23T09:00:00+01:00&timeMax=2026-11-23T17:00:00+01:00&timeZone=Etc/GMT+5');
    expect(calls.map(({ args }) => args)).toEqual([[{ range: RANGE, timeZone: 'Etc/GMT+5' }]]);
  });

  it.each([
    ['without a time', 'timeMax=2026-11-23T17:00:00Z', 'timeMin'],
    ['that ends before it starts', 'timeMin=2026-11-23T17:00:00Z&timeMax=2026-11-22T00:00:00Z', 'timeMax'],
    ['of six years', 'timeMin=2026-11-23T17:00:00Z&timeMax=2032-11-24T00:00:00Z', 'timeMax'],
    ['of a nonsense zone', `${QUESTION}&timeZone=Mars`, 'timeZone'],
    ['with a parameter that is not known', `${QUESTION}&calendar=a`, 'calendar'],
    ['with a parameter that is not known, twice', `${QUESTION}&token=a&token=b`, 'token'],
    ['with a parameter of prototypes', `${QUESTION}&__proto__=a`, '__proto__'],
    ['with one time twice', `${QUESTION}&timeMin=2026-11-23T09:00:00Z`, 'timeMin'],
    ['of a calendar without a name', `${QUESTION}&calendars=`, 'calendars.0'],
    ['of no age', `${QUESTION}&maxStalenessMs=`, 'maxStalenessMs'],
    ['of an age that is no number', `${QUESTION}&maxStalenessMs=1e3`, 'maxStalenessMs'],
    ['of an age below none', `${QUESTION}&maxStalenessMs=-1`, 'maxStalenessMs'],
    ['of more than a day', `${QUESTION}&maxStalenessMs=86400001`, 'maxStalenessMs'],
  ])('refuses a question %s before any actor is asked', async (_, query, field) => {
    const { ask, calls } = await openWith();
    const { status, code, errors } = await readProblem(await ask(query));
    expect({ status, code }).toEqual({ status: 400, code: 'invalid_request' });
    expect(errors?.map(({ path }) => path)).toEqual([field]);
    expect(calls).toEqual([]);
  });

  it.each<[Failure, number, string, string | null]>([
    [{ kind: 'throttled', scope: 'user', retryAtMs: NOW_MS + 7_000 }, 429, 'rate_limited', '7'],
    [{ kind: 'unavailable', ambiguous: false }, 503, 'provider_unavailable', '5'],
    [{ kind: 'grant-revoked', detail: 'x' }, 409, 'reauth_required', null],
    [{ kind: 'cursor-expired' }, 503, 'provider_unavailable', '5'],
  ])('turns the failure %j into its problem', async (failure, status, code, retryAfter) => {
    const { ask } = await openWith(() => fail(failure));
    const response = await ask(QUESTION);
    expect(response.headers.get('Retry-After')).toBe(retryAfter);
    expect(await readProblem(response)).toMatchObject({ status, code });
  });

  it('wakes no actor for a connector that is not there, or without a token', async () => {
    const { CONNECTOR, calls } = scriptActors();
    const { send } = openHouse({ CONNECTOR });
    const path = (id: string) => `/v1/connectors/${id}/events?${QUESTION}`;
    expect((await send(path(freshId()))).status).toBe(404);
    expect((await send(path(await addActiveConnector('ada')), { token: null })).status).toBe(401);
    expect(calls).toEqual([]);
  });
});
