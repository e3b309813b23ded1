import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { ok } from '../../src/domain/failure.ts';
import { scriptActors } from '../actors.ts';
import { freshId, migrateDatabase } from '../database.ts';
import { addActiveConnector, openHouse, readProblem } from './stage.ts';

beforeAll(migrateDatabase);

const SLOT = { start: '2026-11-24T09:00:00Z', end: '2026-11-24T10:00:00Z', timeZone: 'UTC' };
const RECORD = { holdId: 'h', state: 'held', eventId: 'e-1' };
const GROUP = { holdId: 'h', state: 'held', slots: [] };

/** An actor that says of every write how it stands. */
async function openWith(submission: string, report: object) {
  const { CONNECTOR, calls } = scriptActors(() => ok({ submission, report }));
  const { send } = openHouse({ CONNECTOR });
  const connectorId = await addActiveConnector(freshId('user'));
  return { send, calls, connectorId, path: `/v1/connectors/${connectorId}/holds` };
}

/** Groups that answer every call alike; `calls` are what they were asked. */
async function openWithGroup(answer: object) {
  const calls: { holdId: string; method: string; args: unknown[] }[] = [];
  const HOLD_GROUP = new Proxy(env.HOLD_GROUP, {
    get: () => (holdId: string) =>
      new Proxy(
        {},
        {
          get:
            (_, method) =>
            (...args: unknown[]) => {
              calls.push({ holdId, method: String(method), args });
              return Promise.resolve(answer);
            },
        },
      ),
  });
  const { send } = openHouse({ HOLD_GROUP });
  return { send, calls, connectorId: await addActiveConnector(freshId('user')) };
}

describe('holds of one connector', () => {
  it.each([
    [201, 'accepted'],
    [200, 'repeat'],
  ])('answer %i when the task was %s', async (status, submission) => {
    const { send, path } = await openWith(submission, { state: 'done', result: RECORD });
    const response = await send(path, { json: { holdId: 'h', ...SLOT } });
    expect([response.status, await response.json()]).toEqual([status, RECORD]);
  });

  it('answer 200 when they were let go before they came: nothing is held', async () => {
    const result = { holdId: 'h', state: 'cancelled' };
    const { send, path } = await openWith('accepted', { state: 'done', result });
    expect((await send(path, { json: { holdId: 'h', ...SLOT } })).status).toBe(200);
  });

  it('become tasks of the actor, their id from the path as it was meant', async () => {
    const { send, path, calls, connectorId } = await openWith('accepted', { state: 'done', result: RECORD });
    await send(path, { json: { holdId: 'a b', ...SLOT }, headers: { 'Idempotency-Key': 'k' } });
    await send(`${path}/a%20b%2Fc`, { method: 'DELETE' });
    const confirmed = await send(`${path}/a%20b/confirm`, { json: { summary: 'x' } });
    expect(confirmed.status).toBe(200);
    expect(calls.map(({ args }) => args[0])).toMatchObject([
      { id: 'k', type: 'place-hold', connectorId, payload: { holdId: 'a b', ...SLOT } },
      { type: 'cancel-hold', payload: { holdId: 'a b/c' } },
      { type: 'confirm-hold', payload: { holdId: 'a b', summary: 'x' } },
    ]);
  });

  it('tell a conflict with the parts that are taken', async () => {
    const conflicts = [{ start: SLOT.start, end: SLOT.end }];
    const error = { code: 'conflict', message: 'taken', retryable: false, conflicts };
    const { send, path } = await openWith('accepted', { state: 'failed', error });
    const problem = await readProblem(await send(path, { json: { holdId: 'h', ...SLOT } }));
    expect(problem).toMatchObject({ status: 409, code: 'conflict', conflicts });
  });

  it('that are not well asked for are refused by the field, and wake no actor', async () => {
    const { send, path, calls } = await openWith('accepted', { state: 'done' });
    const refused = async (response: Response) =>
      (await readProblem(response)).errors?.map(({ path: at }) => at);
    expect(await refused(await send(path, { json: { holdId: 'h', ...SLOT, end: SLOT.start } }))).toEqual([
      'end',
    ]);
    expect(await refused(await send(`${path}/${'x'.repeat(300)}`, { method: 'DELETE' }))).toEqual(['holdId']);
    expect(await refused(await send(`${path}/h/confirm`, { json: {} }))).toEqual(['summary']);
    expect(calls).toEqual([]);
  });
});

describe('holds over several connectors', () => {
  const held = { ok: true, value: { hold: GROUP, isRepeat: false } };

  it('are asked of the object of their id', async () => {
    const { send, calls, connectorId } = await openWithGroup(held);
    const slots = [{ connectorId }];
    const placed = await send('/v1/holds', { json: { holdId: 'a b', slots, ...SLOT } });
    expect([placed.status, await placed.json()]).toEqual([201, GROUP]);
    await send('/v1/holds/a%20b');
    await send('/v1/holds/a%20b', { method: 'DELETE' });
    await send('/v1/holds/a%20b/confirm', {
      json: { summary: 'x', attendees: [{ email: 'a@example.com' }] },
    });
    expect(calls).toEqual([
      {
        holdId: 'a b',
        method: 'place',
        args: [{ holdId: 'a b', slots, ...SLOT, ttlSeconds: 900, onConflict: 'reject' }, undefined],
      },
      { holdId: 'a b', method: 'show', args: [] },
      { holdId: 'a b', method: 'cancel', args: ['a b'] },
      { holdId: 'a b', method: 'confirm', args: [{ summary: 'x', attendees: [{ email: 'a@example.com' }] }] },
    ]);
  });

  it.each([
    [200, { hold: GROUP, isRepeat: true }],
    [202, { hold: { ...GROUP, state: 'placing' }, isRepeat: false }],
  ])('answer %i as they stand', async (status, value) => {
    const { send, connectorId } = await openWithGroup({ ok: true, value });
    const response = await send('/v1/holds', { json: { holdId: 'h', slots: [{ connectorId }], ...SLOT } });
    expect(response.status).toBe(status);
    expect(response.headers.get('Location')).toBe(status === 202 ? '/v1/holds/h' : null);
  });

  it('tell whose time is taken', async () => {
    const error = {
      code: 'conflict',
      message: 'The time is already taken.',
      retryable: false,
      conflicts: [{ start: SLOT.start, end: SLOT.end }],
    };
    const { send, connectorId } = await openWithGroup({ ok: false, error: { ...error, connectorId: 'c-1' } });
    const response = await send('/v1/holds', { json: { holdId: 'h', slots: [{ connectorId }], ...SLOT } });
    const problem = await response.json();
    expect(problem).toMatchObject({
      status: 409,
      detail: 'c-1: The time is already taken.',
      conflicts: [{ connectorId: 'c-1', start: SLOT.start, end: SLOT.end }],
    });
  });

  it('are not asked for with a connector that is not there, or an id that is none', async () => {
    const { send, calls, connectorId } = await openWithGroup(held);
    const slots = [{ connectorId }, { connectorId: freshId() }];
    expect((await send('/v1/holds', { json: { holdId: 'h', slots, ...SLOT } })).status).toBe(404);
    const tooLong = await readProblem(await send(`/v1/holds/${'x'.repeat(300)}`));
    expect(tooLong).toMatchObject({ status: 400, errors: [{ path: 'holdId' }] });
    expect(calls).toEqual([]);
  });

  it('that were never placed answer, and their object keeps nothing', async () => {
    const { send } = openHouse();
    const id = freshId('hold');
    expect((await readProblem(await send(`/v1/holds/${id}`))).status).toBe(404);
    const confirm = await send(`/v1/holds/${id}/confirm`, { json: { summary: 'x' } });
    expect((await readProblem(confirm)).status).toBe(404);
  });
});
