/** True when the URI is one of the allowed ones, character by character: no prefix, case or port is forgiven. */
export function isAllowedRedirect(uri: string, allowed: readonly string[]): boolean {
  return allowed.includes(uri);
}

/** The caller's redirect with the result added to its query. */
export function withResult(redirectUri: string, result: Record<string, string>): string {
  const url = new URL(redirectUri);
  for (const [name, value] of Object.entries(result)) url.searchParams.set(name, value);
  return url.href;
}
