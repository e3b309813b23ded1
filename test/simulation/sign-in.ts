import type { ConnectRequest } from '../../src/connector/connection.ts';

/** The return of a person's sign-in, as the worker hands it to the actor. */
export function signInReturn(): ConnectRequest {
  return {
    callback: new URLSearchParams({ code: 'code', state: 'state' }),
    state: 'state',
    nonce: 'nonce',
    codeVerifier: 'verifier',
    callbackUrl: 'https://calendar.example.com/oauth/google/callback',
    scopes: ['calendar'],
  };
}
