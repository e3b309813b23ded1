import { beforeAll, describe, expect, it } from 'vitest';
import { fail, type Failure, ok } from '../../src/domain/failure.ts';
import { scriptActors } from '../actors.ts';
import { freshId, migrateDatabase } from '../database.ts';
import { addActiveConnector, NOW_MS, openHouse, readProblem } from './stage.ts';

beforeAll(migrateDatabase);

const QUESTION = {
  timeMin: '2026-11-23T09:00:00+01:00',
  timeMax: '2026-11-23T17:00:00+01:00',
  timeZone: 'Europe/Berlin',
};

async function openWith(answer?: Parameters<typeof scriptActors>[0]) {
  const { CONNECTOR, calls } = scriptActors(answer);
  const { send } = openHouse({ CONNECTOR });
  const connectorId = await addActiveConnector('ada');
  const ask = (json: unknown) => send(`/v1/connectors/${connectorId}/availability`, { json });
  return { ask, calls, connectorId };
}

describe('POST /v1/connectors/:id/availability', () => {
  it('asks the actor just what was asked, and passes its answer on', async () => {
    const answer = { busy: [], calendars: [], freshness: { source: 'live', asOf: '…' } };
    const { ask, calls, connectorId } = await openWith(() => ok(answer));
    const response = await ask({ ...QUESTION, connectorId, calendars: ['a'], maxStalenessMs: 0 });
    expect(response.status).toBe(200);
    expect(response.headers.get('Cache-Control')).toBe('no-store');
    expect(await response.json()).toEqual(answer);
    expect(calls).toEqual([
      {
        connectorId,
        method: 'availability',
        args: [
          {
            range: { startMs: Date.UTC(2026, 10, 23, 8), endMs: Date.UTC(2026, 10, 23, 16) },
            timeZone: 'Europe/Berlin',
            calendars: ['a'],
            maxStalenessMs: 0,
          },
        ],
      },
    ]);
  });

  it.each<[string, object, string]>([
    ['of another connector', { connectorId: 'other' }, 'connectorId'],
    ['that ends before it starts', { timeMax: '2026-11-22T00:00:00Z' }, 'timeMax'],
    ['of a nonsense zone', { timeZone: 'Mars' }, 'timeZone'],
    ['of six years', { timeMax: '2032-11-23T00:00:00Z' }, 'timeMax'],
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
    [{ kind: 'consent-missing', scopes: ['x'] }, 409, 'consent_missing', null],
    [{ kind: 'rejected', status: 400, code: 'x' }, 502, 'provider_rejected', null],
  ])('turns the failure %j into its problem', async (failure, status, code, retryAfter) => {
    const { ask } = await openWith(() => fail(failure));
    const response = await ask(QUESTION);
    expect(response.headers.get('Retry-After')).toBe(retryAfter);
    expect(await readProblem(response)).toMatchObject({ status, code });
  });

  it('asks to try again when the actor cannot be reached', async () => {
    const { ask } = await openWith(() => {
      throw new Error('the object was reset');
    });
    expect(await readProblem(await ask(QUESTION))).toMatchObject({ status: 503 });
  });
});

describe('POST /v1/availability', () => {
  it('asks each connector and answers as one; one that does not answer is unknown, not free', async () => {
    const [a, b] = [await addActiveConnector(freshId('user')), await addActiveConnector(freshId('user'))];
    const answer = {
      busy: [{ start: '2026-11-23T10:00:00+00:00', end: '2026-11-23T11:00:00+00:00' }],
      calendars: [{ id: 'main', status: 'ok' }],
      freshness: { source: 'live', asOf: '2026-11-22T12:00:00+00:00' },
    };
    const { CONNECTOR } = scriptActors(({ connectorId }) =>
      connectorId === a ? ok(answer) : fail({ kind: 'unavailable', ambiguous: false }),
    );
    const response = await openHouse({ CONNECTOR }).send('/v1/availability', {
      json: { connectorIds: [a, b], ...QUESTION },
    });
    expect([response.status, await response.json()]).toMatchObject([
      200,
      {
        busy: [{ start: '2026-11-23T11:00:00+01:00', end: '2026-11-23T12:00:00+01:00' }],
        calendars: [
          { connectorId: a, id: 'main', status: 'ok' },
          { connectorId: b, id: b, status: 'unavailable', error: { code: 'provider_unavailable' } },
        ],
      },
    ]);
  });

  it('refuses a question that names none, one twice, or one that is not there', async () => {
    const { CONNECTOR, calls } = scriptActors();
    const { send } = openHouse({ CONNECTOR });
    const known = await addActiveConnector(freshId('user'));
    for (const connectorIds of [[], [known, known], undefined]) {
      const problem = await readProblem(
        await send('/v1/availability', { json: { connectorIds, ...QUESTION } }),
      );
      expect(problem).toMatchObject({ status: 400, errors: [{ path: 'connectorIds' }] });
    }
    const stranger = await send('/v1/availability', {
      json: { connectorIds: [known, freshId()], ...QUESTION },
    });
    expect(stranger.status).toBe(404);
    expect(calls).toEqual([]);
  });
});
