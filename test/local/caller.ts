import type { ApiAnswer, Runtime } from './runtime.ts';
import { LOCAL_BASE_URL } from './settings.ts';

/** The longest an answer may take: the worker's own patience with a write is 25 seconds. */
const ANSWER_WITHIN_MS = 60_000;

/** Calls a worker that is a process of its own, at the address that `origin` names now, with a good token. */
export function createCaller(origin: () => string, apiToken: string): Pick<Runtime, 'api' | 'fetch'> {
  const call: Runtime['fetch'] = async (url, init = {}) => {
    const { pathname, search } = new URL(url, LOCAL_BASE_URL);
    const response = await fetch(origin() + pathname + search, {
      ...init,
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  return {
    fetch: call,
    async api(method, path, body, headers = {}): Promise<ApiAnswer> {
      const answer = await call(path, {
        method,
        headers: { ...apiHeaders(apiToken), ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const json: unknown = answer.text.startsWith('{') ? JSON.parse(answer.text) : undefined;
      return { ...answer, json };
    },
  };
}

/** What every call of the API brings along. */
export function apiHeaders(apiToken: string): Record<string, string> {
  return { Authorization: `Bearer ${apiToken}`, 'Content-Type': 'application/json' };
}
