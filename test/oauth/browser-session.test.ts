import { describe, expect, it } from 'vitest';
import { openBrowserSession, readBrowserSession } from '../../src/oauth/browser-session.ts';

const SAFE = 'https://calendar.example.com';
const LOCAL = 'http://localhost:8787';
const ID = 'ab'.repeat(32);
const randomBytes = (length: number) => new Uint8Array(length).fill(0xab);
const noBytes = () => expect.fail('no new session is needed');

function bring(cookie: string): Request {
  return new Request(`${SAFE}/oauth/google/start`, { headers: { Cookie: cookie } });
}

describe('a new session', () => {
  it('is 256 random bits in a cookie that only this origin sets and no script reads', async () => {
    const session = await openBrowserSession(new Request(SAFE), SAFE, randomBytes);
    expect(session.id).toBe(ID);
    expect(session.setCookie).toBe(
      `__Host-calendar-sign-in=${ID}; Path=/; HttpOnly; SameSite=Lax; Max-Age=600; Secure`,
    );
  });

  it('has a name of its own on plain http, where browsers refuse Secure and __Host-', async () => {
    const session = await openBrowserSession(new Request(LOCAL), LOCAL, randomBytes);
    expect(session.setCookie).toBe(`calendar-sign-in=${ID}; Path=/; HttpOnly; SameSite=Lax; Max-Age=600`);
  });

  it('is known elsewhere by a hash that does not tell it', async () => {
    const { id, hash } = await openBrowserSession(new Request(SAFE), SAFE, randomBytes);
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(id)));
    expect(hash).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(atob(hash.replaceAll('-', '+').replaceAll('_', '/'))).toBe(String.fromCodePoint(...digest));
  });
});

describe('a session that the browser brings', () => {
  it('is kept and prolonged, so that two tabs share it', async () => {
    const session = await openBrowserSession(bring(`__Host-calendar-sign-in=${ID}`), SAFE, noBytes);
    expect(session.id).toBe(ID);
    expect(session.setCookie).toContain(`__Host-calendar-sign-in=${ID};`);
    expect(await readBrowserSession(bring(`__Host-calendar-sign-in=${ID}`), SAFE)).toEqual({
      id: ID,
      hash: session.hash,
    });
  });

  it('is found among other cookies', async () => {
    const session = await readBrowserSession(bring(`a=b; __Host-calendar-sign-in=${ID} ;c=d`), SAFE);
    expect(session?.id).toBe(ID);
  });

  it.each([
    '',
    '__Host-calendar-sign-in',
    '__Host-calendar-sign-in=',
    `__Host-calendar-sign-in=${'AB'.repeat(32)}`,
    `__Host-calendar-sign-in=${'ab'.repeat(31)}`,
    `__Host-calendar-sign-in=${'ab'.repeat(33)}`,
    `__Host-calendar-sign-in=${'zz'.repeat(32)}`,
    `__Host-calendar-sign-in=${ID}=x`,
    `__Host-calendar-sign-in="${ID}"`,
    `__host-calendar-sign-in=${ID}`,
    `calendar-sign-in=${ID}`,
    `x__Host-calendar-sign-in=${ID}`,
  ])('is none of ours when the cookie is forged: %s', async (cookie) => {
    expect(await readBrowserSession(bring(cookie), SAFE)).toBeUndefined();
    const fresh = await openBrowserSession(bring(cookie), SAFE, (length) => new Uint8Array(length));
    expect(fresh.id).toBe('00'.repeat(32));
  });

  it('does not count on plain http when it is the cookie of https', async () => {
    expect(await readBrowserSession(bring(`__Host-calendar-sign-in=${ID}`), LOCAL)).toBeUndefined();
    expect((await readBrowserSession(bring(`calendar-sign-in=${ID}`), LOCAL))?.id).toBe(ID);
  });
});
