/** A configuration that is complete and reaches nobody: no endpoint in it answers. */
export const TEST_VARIABLES = {
  GOOGLE_CLIENT_ID: 'google-client',
  GOOGLE_CLIENT_SECRET: 'google-secret-of-the-tests',
  MICROSOFT_CLIENT_ID: '11111111-2222-4333-8444-555555555555',
  MICROSOFT_CLIENT_SECRET: 'microsoft-secret-of-the-tests',
  OAUTH_ENC_KEY: 'k1:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=',
  API_TOKENS: 'first-token-of-the-tests,second-token-of-the-tests',
  ALLOWED_REDIRECT_URIS: 'https://app.example.com/connected,https://app.example.com/other?tab=calendar',
  PUBLIC_BASE_URL: 'https://calendar.example.com',
  GOOGLE_AUTHORIZE_URL: 'https://google.invalid/authorize',
  GOOGLE_TOKEN_URL: 'https://google.invalid/token',
  GOOGLE_REVOKE_URL: 'https://google.invalid/revoke',
  GOOGLE_API_URL: 'https://google.invalid',
  MICROSOFT_LOGIN_URL: 'https://login.invalid',
  MICROSOFT_GRAPH_URL: 'https://graph.invalid',
};
