import { describe, expect, it } from 'vitest';
import { isAllowedRedirect, withResult } from '../../src/oauth/redirect-uri.ts';

const ALLOWED = ['https://app.example.com/connected', 'http://localhost:8787/connected'];

describe('the allow-list of redirects', () => {
  it('holds what is on it', () => {
    for (const uri of ALLOWED) expect(isAllowedRedirect(uri, ALLOWED)).toBe(true);
  });

  it.each([
    '',
    '//app.example.com/connected',
    '/connected',
    '\\\\app.example.com/connected',
    'https:\\\\app.example.com\\connected',
    'https://app.example.com\\@evil.example/connected',
    'https://evil.example@app.example.com/connected',
    'https://app.example.com@evil.example/connected',
    'https://app.example.com/connected\r\nSet-Cookie: a=b',
    'https://app.example.com/connected\n',
    '\thttps://app.example.com/connected',
    ' https://app.example.com/connected',
    'HTTPS://app.example.com/connected',
    'https://APP.example.com/connected',
    'https://app.example.com/Connected',
    'https://app.example.com:443/connected',
    'https://app.example.com:8443/connected',
    'http://app.example.com/connected',
    'https://app.example.com./connected',
    'https://app.example.com.evil.example/connected',
    'https://evil-app.example.com/connected',
    'https://evil.example/app.example.com/connected',
    'https://app.example.com/connected/',
    'https://app.example.com/connected/../other',
    'https://app.example.com/%63onnected',
    'https://app.example.com/connected?next=evil',
    'https://app.example.com/connected#evil',
    'https://app.example.com/connecte',
    'https://app.example.com/connected%0d%0a',
    'https://аpp.example.com/connected',
    'http://localhost:8788/connected',
    'http://127.0.0.1:8787/connected',
    'https://app.example.com/connected,http://localhost:8787/connected',
    'javascript:alert(1)',
  ])('does not hold %j', (uri) => {
    expect(isAllowedRedirect(uri, ALLOWED)).toBe(false);
  });
});

describe('the way back', () => {
  it('adds the result to the query that is there', () => {
    expect(
      withResult('https://app.example.com/x?tab=calendar', { connectorId: 'c-1', status: 'connected' }),
    ).toBe('https://app.example.com/x?tab=calendar&connectorId=c-1&status=connected');
  });

  it('escapes what it adds', () => {
    expect(withResult('https://app.example.com/x', { code: 'a&b=c\r\n<d>#e' })).toBe(
      'https://app.example.com/x?code=a%26b%3Dc%0D%0A%3Cd%3E%23e',
    );
  });

  it('replaces a result that the address claims already', () => {
    expect(withResult('https://app.example.com/x?status=connected', { status: 'denied' })).toBe(
      'https://app.example.com/x?status=denied',
    );
  });
});
