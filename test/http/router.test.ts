import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { TEST_VARIABLES } from '../variables.ts';
import { openHouse, readProblem } from './stage.ts';

describe('every address of /v1', () => {
  it.each([
    ['POST', '/v1/connectors'],
    ['GET', '/v1/connectors?userId=ada'],
    ['GET', '/v1/connectors/c-1'],
    ['DELETE', '/v1/connectors/c-1'],
    ['POST', '/v1/connectors/c-1/availability'],
    ['GET', '/v1/connectors/c-1/events?timeMin=2026-11-23T00:00:00Z&timeMax=2026-11-24T00:00:00Z'],
    ['GET', '/v1/connectors/c-1/changes'],
    ['GET', '/v1/connectors/c-1/tasks/t-1'],
    ['POST', '/v1/tasks'],
    ['GET', '/v1'],
    ['GET', '/v1/'],
    ['GET', '/v1/nothing/here'],
    ['OPTIONS', '/v1/connectors'],
    ['HEAD', '/v1/connectors'],
  ])('asks for a token, which may not be in the query: %s %s', async (method, path) => {
    const { send } = openHouse();
    for (const token of [null, 'wrong-token-of-nobody']) {
      expect((await send(path, { method, token })).status).toBe(401);
    }
    const inQuery = `${path}${path.includes('?') ? '&' : '?'}access_token=first-token-of-the-tests`;
    expect((await send(inQuery, { method, token: null })).status).toBe(401);
  });

  it('is not reached by another spelling of it', async () => {
    const { send } = openHouse();
    for (const path of [
      '//v1/connectors',
      '/V1/connectors',
      '/%761/connectors',
      '/x/../v1/connectors',
      '/v1%2fconnectors',
    ]) {
      const { status } = await send(`${path}?userId=ada`, { token: null });
      expect([401, 404]).toContain(status);
    }
  });

  it('takes any of the tokens, and none that was withdrawn', async () => {
    const { send } = openHouse();
    const statusOf = async (token: string) => (await send('/v1/nothing', { token })).status;
    expect(await statusOf('first-token-of-the-tests')).toBe(404);
    expect(await statusOf('second-token-of-the-tests')).toBe(404);
    const { send: sendLater } = openHouse({ API_TOKENS: 'second-token-of-the-tests' });
    expect((await sendLater('/v1/nothing', { token: 'first-token-of-the-tests' })).status).toBe(401);
  });
});

describe('what is not there', () => {
  it.each([
    ['GET', '/nothing'],
    ['PUT', '/v1/connectors'],
    ['POST', '/oauth/google/start'],
    ['POST', '/oauth/google/callback'],
    ['GET', '/v1/connectors/a/b/c/d'],
  ])('is a 404 problem: %s %s', async (method, path) => {
    const response = await openHouse().send(path, { method });
    expect(await readProblem(response)).toMatchObject({ status: 404, code: 'not_found' });
  });
});

describe('what anyone may see', () => {
  it('is that the worker lives, and the contract', async () => {
    const { send } = openHouse();
    expect(await (await send('/healthz', { token: null })).json()).toEqual({ status: 'ok' });
    expect((await send('/openapi.json', { token: null })).status).toBe(200);
  });
});

describe('a worker that is not set up', () => {
  it.each(Object.keys(TEST_VARIABLES).filter((name) => !name.endsWith('_URL')))(
    'says so at its first request, naming the variable and no value: %s',
    async (name) => {
      const { send, events } = openHouse({ [name]: undefined });
      for (const path of ['/v1/connectors?userId=ada', '/oauth/google/start?state=x', '/healthz']) {
        const { detail, ...problem } = await readProblem(await send(path));
        expect(problem).toMatchObject({ status: 500, code: 'misconfigured' });
        expect(detail).toBe(`${name}: is not set`);
      }
      expect(events[0]).toEqual({ event: 'error', where: 'configuration', detail: `${name}: is not set` });
    },
  );

  it('says so of an origin that is none', async () => {
    const response = await openHouse({ PUBLIC_BASE_URL: 'nonsense' }).send('/healthz');
    expect(await readProblem(response)).toMatchObject({
      status: 500,
      code: 'misconfigured',
      detail: expect.stringMatching(/^PUBLIC_BASE_URL: /),
    });
  });
});

describe('a worker whose database is down', () => {
  it('asks to try again, and tells the operator where, without the query', async () => {
    const { send, events } = openHouse({
      DB: new Proxy(env.DB, {
        get() {
          throw new TypeError('the database is down');
        },
      }),
    });
    const response = await send('/v1/connectors?userId=canary');
    expect(response.headers.get('Retry-After')).toBe('5');
    const { status, code, detail } = await readProblem(response);
    expect({ status, code }).toEqual({ status: 503, code: 'provider_unavailable' });
    expect(detail).not.toMatch(/undefined|TypeError/);
    expect(events).toEqual([
      { event: 'error', where: 'GET /v1/connectors', detail: expect.stringMatching(/^TypeError: /) },
    ]);
    expect(JSON.stringify(events)).not.toContain('canary');
  });
});
