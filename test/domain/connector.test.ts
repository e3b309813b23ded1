import { describe, expect, it } from 'vitest';
import { connectorIdSchema, connectRequestSchema, tenantSchema } from '../../src/domain/connector.ts';
import { listFieldErrors } from '../../src/domain/field-error.ts';

const GOOD = { userId: 'ada', provider: 'google', redirectUri: 'https://app.example.com/connected' };

function refusedFields(request: unknown): string[] {
  const read = connectRequestSchema.safeParse(request);
  return read.success ? [] : listFieldErrors(read.error).map(({ path }) => path);
}

describe('a connector id', () => {
  it('is 1 to 128 letters, digits or _ . : -', () => {
    const good = ['a', 'A_b.c:d-9', 'x'.repeat(128)];
    const bad = ['', 'a b', 'a/b', 'ä', 'a\n', 'x'.repeat(129), 7, null];
    expect([...good, ...bad].filter((id) => connectorIdSchema.safeParse(id).success)).toEqual(good);
  });
});

describe('a tenant', () => {
  it('is an audience, a GUID or a domain', () => {
    const tenants = [
      'common',
      'organizations',
      'consumers',
      '9188040d-6c67-4c5b-b112-36a304b66dad',
      'contoso.onmicrosoft.com',
    ];
    expect(tenants.filter((tenant) => tenantSchema.safeParse(tenant).success)).toEqual(tenants);
  });

  it('leads nowhere else: no path, query, port or user info', () => {
    const tenants = [
      '',
      'Common2',
      'a.b/../c',
      '../x.y',
      'x.y?z',
      'x.y#z',
      'u@x.y',
      'x.y:1',
      'x%2fy.z',
      'x.y\n',
    ];
    expect(tenants.filter((tenant) => tenantSchema.safeParse(tenant).success)).toEqual([]);
  });
});

describe('a request to connect', () => {
  it('needs a user, a provider and a redirect, and takes hints', () => {
    expect(refusedFields(GOOD)).toEqual([]);
    expect(
      refusedFields({
        ...GOOD,
        provider: 'microsoft',
        scopes: ['Calendars.ReadWrite'],
        loginHint: 'ada@example.com',
        tenant: 'common',
        connectorId: 'c-1',
      }),
    ).toEqual([]);
    expect(refusedFields({})).toEqual(['userId', 'provider', 'redirectUri']);
  });

  it.each<[string, object, string]>([
    ['an empty user', { userId: '' }, 'userId'],
    ['an endless user', { userId: 'x'.repeat(257) }, 'userId'],
    ['a provider nobody speaks', { provider: 'caldav' }, 'provider'],
    ['an endless redirect', { redirectUri: `https://x/${'y'.repeat(2048)}` }, 'redirectUri'],
    ['two scopes in one', { scopes: ['a', 'b c'] }, 'scopes.1'],
    ['a quoted scope', { scopes: ['"'] }, 'scopes.0'],
    ['an empty scope', { scopes: [''] }, 'scopes.0'],
    ['a list of no scopes', { scopes: [] }, 'scopes'],
    ['a login hint with a line break', { loginHint: 'a\r\nb' }, 'loginHint'],
    ['a tenant with a path', { tenant: 'a/b' }, 'tenant'],
    ['a connector id that cannot be one', { connectorId: '*' }, 'connectorId'],
    ['a field nobody knows', { redirectURI: 'x' }, 'redirectURI'],
  ])('is refused with %s', (_, change, field) => {
    expect(refusedFields({ ...GOOD, ...change })).toEqual([field]);
  });
});
