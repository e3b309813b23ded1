import { describe, expect, it, vi } from 'vitest';
import { authenticate } from '../../src/http/authenticate.ts';
import { present } from '../present.ts';
import { readProblem } from './stage.ts';

const TOKENS = ['first-token-of-many', 'second-token-of-many'];

function bring(authorization?: string): Promise<Response | undefined> {
  const headers = authorization === undefined ? {} : { Authorization: authorization };
  return authenticate(new Request('https://calendar.example.com/v1/x', { headers }), TOKENS);
}

describe('authentication', () => {
  it.each(['Bearer first-token-of-many', 'Bearer second-token-of-many'])('lets pass: %s', async (header) => {
    expect(await bring(header)).toBeUndefined();
  });

  it('takes the scheme in any case', async () => {
    expect(await bring('bearer first-token-of-many')).toBeUndefined();
    expect(await bring('BEARER second-token-of-many')).toBeUndefined();
  });

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'first-token-of-many',
    'Basic first-token-of-many',
    'Bearer  first-token-of-many',
    'Bearer First-Token-Of-Many',
    'Bearer first-token-of-man',
    'Bearer first-token-of-many1',
    'Bearer first-token-of-many second-token-of-many',
    'Bearer first-token-of-many,second-token-of-many',
    'Bearer first-token-of-many, Bearer second-token-of-many',
    `Bearer ${'x'.repeat(513)}`,
    'Bearer undefined',
  ])('answers 401 to: %s', async (header) => {
    const refusal = present(await bring(header));
    expect(refusal.status).toBe(401);
    expect(refusal.headers.get('WWW-Authenticate')).toBe('Bearer');
    const { code, detail } = await readProblem(refusal);
    expect(code).toBe('unauthorized');
    expect(detail).not.toContain('-token-of-many');
  });

  it('answers 401 to everyone when there are no tokens', async () => {
    const request = new Request('https://x.example', {
      headers: { Authorization: 'Bearer first-token-of-many' },
    });
    expect((await authenticate(request, []))?.status).toBe(401);
  });

  it('compares with every token, in constant time, whichever matches', async () => {
    const compare = vi.spyOn(crypto.subtle, 'timingSafeEqual');
    await bring('Bearer first-token-of-many');
    await bring('Bearer nothing-of-the-kind');
    expect(compare).toHaveBeenCalledTimes(2 * TOKENS.length);
    compare.mockRestore();
  });
});
