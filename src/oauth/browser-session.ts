import type { RandomBytes } from '../crypto/keyring.ts';

/**
 * A browser, known by the cookie that binds a sign-in to it (RFC 9700 §4.7). `__Host-` pins the cookie to
 * this origin; browsers refuse that prefix without https, so plain http (this machine only) has a name of its own.
 */
export interface BrowserSession {
  /** The cookie's value. */
  id: string;
  /** What the database knows it by: base64url SHA-256. */
  hash: string;
}

const LIFE_SECONDS = 600;

/** The session the browser brings, if any. */
export async function readBrowserSession(
  request: Request,
  publicBaseUrl: string,
): Promise<BrowserSession | undefined> {
  const prefix = `${cookieName(publicBaseUrl)}=`;
  for (const pair of (request.headers.get('Cookie') ?? '').split(';')) {
    const cookie = pair.trim();
    const id = cookie.startsWith(prefix) ? cookie.slice(prefix.length) : '';
    if (/^[0-9a-f]{64}$/.test(id)) return { id, hash: await hashSession(id) };
  }
  return undefined;
}

/** The session the browser brings, or a new one, with the Set-Cookie header that gives or prolongs it. */
export async function openBrowserSession(
  request: Request,
  publicBaseUrl: string,
  randomBytes: RandomBytes,
): Promise<BrowserSession & { setCookie: string }> {
  const brought = await readBrowserSession(request, publicBaseUrl);
  const id = brought?.id ?? [...randomBytes(32)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const secure = publicBaseUrl.startsWith('https:') ? '; Secure' : '';
  return {
    id,
    hash: brought?.hash ?? (await hashSession(id)),
    setCookie: `${cookieName(publicBaseUrl)}=${id}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${LIFE_SECONDS}${secure}`,
  };
}

function cookieName(publicBaseUrl: string): string {
  return publicBaseUrl.startsWith('https:') ? '__Host-calendar-sign-in' : 'calendar-sign-in';
}

async function hashSession(id: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(id));
  return btoa(String.fromCharCode(...new Uint8Array(digest)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
