import { beforeAll, describe, expect, it } from 'vitest';
import { fail, type Failure, ok } from '../../src/domain/failure.ts';
import { scriptActors } from '../actors.ts';
import { freshId, migrateDatabase } from '../database.ts';
import { addActiveConnector, openHouse, readProblem } from './stage.ts';

beforeAll(migrateDatabase);

async function openWith(answer?: Parameters<typeof scriptActors>[0]) {
  const { CONNECTOR, calls } = scriptActors(answer);
  const { send } = openHouse({ CONNECTOR });
  const connectorId = await addActiveConnector(freshId('user'));
  const ask = (query = '') => send(`/v1/connectors/${connectorId}/changes${query}`);
  return { ask, calls, connectorId };
}

describe('GET /v1/connectors/:id/changes', () => {
  it('hands the actor the cursor as it is, or none, and passes its answer on', async () => {
    const answer = {
      changes: [],
      cursor: 'next',
      hasMore: false,
      freshness: { source: 'mirror', asOf: '…' },
    };
    const { ask, calls, connectorId } = await openWith(() => ok(answer));
    const response = await ask('?cursor=a-b_c%3D%3D');
    expect([response.status, await response.json()]).toEqual([200, answer]);
    expect(response.headers.get('Cache-Control')).toBe('no-store');
    await ask();
    expect(calls).toEqual([
      { connectorId, method: 'changes', args: ['a-b_c=='] },
      { connectorId, method: 'changes', args: [undefined] },
    ]);
  });

  it.each([
    ['an empty cursor', '?cursor=', 'cursor'],
    ['a cursor of any length', `?cursor=${'x'.repeat(4097)}`, 'cursor'],
    ['two cursors', '?cursor=a&cursor=b', 'cursor'],
    ['a parameter that is not known', '?cursor=a&since=yesterday', 'since'],
  ])('refuses %s before any actor is asked', async (_, query, field) => {
    const { ask, calls } = await openWith();
    const { status, errors } = await readProblem(await ask(query));
    expect([status, errors?.map(({ path }) => path)]).toEqual([400, [field]]);
    expect(calls).toEqual([]);
  });

  it('tells a cursor that has expired, and how to go on', async () => {
    const { ask } = await openWith(() => fail({ kind: 'cursor-expired' }));
    const response = await ask('?cursor=old');
    expect(response.headers.get('Retry-After')).toBeNull();
    expect(await readProblem(response)).toMatchObject({
      status: 410,
      code: 'cursor_expired',
      title: 'The cursor has expired',
      detail: 'This cursor has expired: begin anew without one.',
    });
  });

  it('refuses a cursor that nobody has given', async () => {
    const { ask } = await openWith(() => fail({ kind: 'mismatch', what: 'cursor' }));
    expect(await readProblem(await ask('?cursor=made-up'))).toMatchObject({
      status: 400,
      code: 'invalid_request',
      errors: [{ path: 'cursor', message: 'is none that this connector has given' }],
    });
  });

  it.each<[Failure, number, string]>([
    [{ kind: 'mismatch', what: 'something else' }, 422, 'idempotency_mismatch'],
    [{ kind: 'unavailable', ambiguous: false }, 503, 'provider_unavailable'],
    [{ kind: 'grant-revoked', detail: 'x' }, 409, 'reauth_required'],
  ])('turns the failure %j into its problem', async (failure, status, code) => {
    const { ask } = await openWith(() => fail(failure));
    expect(await readProblem(await ask())).toMatchObject({ status, code });
  });

  it('wakes no actor for a connector that is not there, or without a token', async () => {
    const { CONNECTOR, calls } = scriptActors();
    const { send } = openHouse({ CONNECTOR });
    expect((await send(`/v1/connectors/${freshId()}/changes`)).status).toBe(404);
    const known = await addActiveConnector('ada');
    expect((await send(`/v1/connectors/${known}/changes`, { token: null })).status).toBe(401);
    expect(calls).toEqual([]);
  });
});
