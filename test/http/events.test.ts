import { beforeAll, describe, expect, it } from 'vitest';
import { fail, ok } from '../../src/domain/failure.ts';
import { scriptActors } from '../actors.ts';
import { freshId, migrateDatabase } from '../database.ts';
import { addActiveConnector, openHouse, readProblem } from './stage.ts';

beforeAll(migrateDatabase);

const MEETING = {
  summary: 'Planning',
  start: '2026-11-23T09:00:00Z',
  end: '2026-11-23T10:00:00Z',
  timeZone: 'UTC',
};
const RECORD = { eventId: 'e-1', status: 'confirmed' };

/** An actor that says of every write how it stands. */
async function openWith(submission: string, report: object) {
  const { CONNECTOR, calls } = scriptActors(() => ok({ submission, report }));
  const { send } = openHouse({ CONNECTOR });
  const path = `/v1/connectors/${await addActiveConnector(freshId('user'))}/events`;
  return { send, calls, path };
}

describe('POST …/events', () => {
  it.each([
    [201, 'accepted'],
    [200, 'repeat'],
  ])('answers %i with the event when the task was %s', async (status, submission) => {
    const { send, path } = await openWith(submission, { state: 'done', result: RECORD });
    const response = await send(path, { json: MEETING });
    expect([response.status, await response.json()]).toEqual([status, RECORD]);
  });

  it('hands the actor a task under the Idempotency-Key, the payload as it came', async () => {
    const { send, path, calls } = await openWith('accepted', { state: 'done', result: RECORD });
    await send(path, { json: MEETING, headers: { 'Idempotency-Key': 'booking-1' } });
    const connectorId = path.split('/')[3];
    expect(calls).toEqual([
      {
        connectorId,
        method: 'perform',
        args: [{ id: 'booking-1', type: 'create-event', connectorId, payload: MEETING }, 25_000],
      },
    ]);
  });

  it('answers 202 with the address of the task when it takes longer', async () => {
    const { send, path } = await openWith('accepted', { id: 'slow', state: 'running', attempts: 1 });
    const response = await send(path, { json: MEETING, headers: { 'Idempotency-Key': 'slow' } });
    expect(response.status).toBe(202);
    expect(response.headers.get('Location')).toBe(`${path.replace(/events$/, 'tasks')}/slow`);
  });

  it('tells another request under the same key, and a task that failed', async () => {
    const mismatch = await openWith('mismatch', { state: 'done' });
    expect(await readProblem(await mismatch.send(mismatch.path, { json: MEETING }))).toMatchObject({
      status: 422,
      code: 'idempotency_mismatch',
    });
    const error = { code: 'provider_rejected', message: 'no', retryable: false };
    const failed = await openWith('accepted', { state: 'failed', error });
    expect(await readProblem(await failed.send(failed.path, { json: MEETING }))).toMatchObject({
      status: 502,
      detail: 'no',
    });
  });

  it('tells why the actor does not take it on', async () => {
    const { CONNECTOR } = scriptActors(() => fail({ kind: 'grant-revoked', detail: 'gone' }));
    const { send } = openHouse({ CONNECTOR });
    const path = `/v1/connectors/${await addActiveConnector(freshId('user'))}/events`;
    expect(await readProblem(await send(path, { json: MEETING }))).toMatchObject({ code: 'reauth_required' });
  });

  it('refuses a bad event by its field, and wakes no actor', async () => {
    const { send, path, calls } = await openWith('accepted', { state: 'done' });
    for (const [change, field] of [
      [{ end: MEETING.start }, 'end'],
      [{ attendees: [{ email: 'x' }] }, 'attendees.0.email'],
      [{ summary: 'a\r\nb' }, 'summary'],
      [{ connectorId: 'another' }, 'connectorId'],
    ] as const) {
      const problem = await readProblem(await send(path, { json: { ...MEETING, ...change } }));
      expect(problem).toMatchObject({ status: 400, errors: [{ path: field }] });
    }
    expect(await readProblem(await send(path, { json: [MEETING] }))).toMatchObject({ status: 400 });
    expect(calls).toEqual([]);
  });

  it('knows no connector that is not there', async () => {
    const { CONNECTOR, calls } = scriptActors();
    const response = await openHouse({ CONNECTOR }).send(`/v1/connectors/${freshId()}/events`, {
      json: MEETING,
    });
    expect(response.status).toBe(404);
    expect(calls).toEqual([]);
  });
});

describe('PATCH and DELETE …/events/:eventId', () => {
  it('take the id from the path, decoded, and the version from If-Match', async () => {
    const { send, path, calls } = await openWith('accepted', { state: 'done', result: RECORD });
    const id = 'AAMk/=+ü';
    const target = `${path}/${encodeURIComponent(id)}`;
    const updated = await send(target, {
      method: 'PATCH',
      json: { summary: 'New' },
      headers: { 'If-Match': '"7"' },
    });
    expect(updated.status).toBe(200);
    const occurrence = '2026-10-27T09:00:00+01:00';
    const query = `calendarId=team&notify=none&occurrence=${encodeURIComponent(occurrence)}`;
    await send(`${target}?${query}`, { method: 'DELETE' });
    expect(calls.map(({ args }) => args[0])).toMatchObject([
      { type: 'update-event', payload: { eventId: id, summary: 'New', etag: '"7"' } },
      { type: 'cancel-event', payload: { eventId: id, calendarId: 'team', notify: 'none', occurrence } },
    ]);
  });

  it('take the version that a DELETE is bound to, any where it is a star, and a plus that was not escaped', async () => {
    const { send, path, calls } = await openWith('accepted', { state: 'done', result: RECORD });
    await send(`${path}/e`, { method: 'DELETE', headers: { 'If-Match': '"7"' } });
    await send(`${path}/e?occurrence=2026-11-23T09:00:00+01:00`, {
      method: 'DELETE',
      headers: { 'If-Match': '*' },
    });
    expect(calls.map(({ args }) => args[0])).toMatchObject([
      { payload: { eventId: 'e', etag: '"7"' } },
      { payload: { eventId: 'e', occurrence: '2026-11-23T09:00:00+01:00' } },
    ]);
    expect(calls[1]?.args[0]).not.toHaveProperty('payload.etag');
  });

  it('refuse what they do not know', async () => {
    const { send, path } = await openWith('accepted', { state: 'done' });
    const unknown = await readProblem(await send(`${path}/e?colour=red`, { method: 'DELETE' }));
    expect(unknown).toMatchObject({ status: 400, errors: [{ path: 'colour' }] });
    const half = await readProblem(
      await send(`${path}/e`, { method: 'PATCH', json: { start: MEETING.start } }),
    );
    expect(half.errors?.map(({ path: field }) => field)).toEqual(['end', 'timeZone']);
    const unclear = await readProblem(await send(`${path}/e?occurrence=tomorrow`, { method: 'DELETE' }));
    expect(unclear).toMatchObject({ status: 400, errors: [{ path: 'occurrence' }] });
  });
});
