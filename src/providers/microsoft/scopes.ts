/** Scopes of the sign-in itself. `offline_access` shows as the presence of a refresh token, never in a grant's scope. */
const SIGN_IN_SCOPES = new Set(['openid', 'profile', 'email', 'offline_access']);

/** Graph's hosts, in every cloud: a scope may be spelled with its resource before it. */
const GRAPH_HOSTS = new Set([
  'graph.microsoft.com',
  'graph.microsoft.us',
  'dod-graph.microsoft.us',
  'microsoftgraph.chinacloudapi.cn',
]);

const LEVELS = ['readbasic', 'read', 'readwrite'];

/**
 * Those of `asked` that `granted` does not cover. Order, case and a Graph resource in front do not
 * matter, sign-in scopes never count, and a broader permission covers the narrower ones of its name:
 * ReadWrite covers Read, Read covers ReadBasic, and `.Shared` covers the person's own.
 */
export function findMissingScopes(
  asked: readonly string[],
  granted: readonly string[],
  graphUrl: string,
): string[] {
  const held = granted.map((scope) => bareScope(scope, graphUrl));
  return asked.filter((scope) => {
    const wanted = bareScope(scope, graphUrl);
    return !SIGN_IN_SCOPES.has(wanted) && !held.some((one) => covers(one, wanted));
  });
}

/** Lower case, without the resource if that is Graph. Another resource is another permission, and stays. */
function bareScope(scope: string, graphUrl: string): string {
  const lower = scope.toLowerCase();
  const match = /^https?:\/\/([^/]+)\/(.+)$/.exec(lower);
  if (match === null) return lower;
  const [, host = '', name = ''] = match;
  return GRAPH_HOSTS.has(host) || host === new URL(graphUrl).host ? name : lower;
}

function covers(held: string, wanted: string): boolean {
  if (held === wanted) return true;
  const [a, b] = [parseScope(held), parseScope(wanted)];
  return (
    a !== undefined &&
    b !== undefined &&
    a.resource === b.resource &&
    a.level >= b.level &&
    (a.reach === b.reach || (a.reach === 'shared' && b.reach === ''))
  );
}

/** `calendars.readwrite.shared` → what it opens, how far, and for whom. */
function parseScope(scope: string): { resource: string; level: number; reach: string } | undefined {
  const match = /^(.+)\.(readbasic|read|readwrite)(?:\.(.+))?$/.exec(scope);
  if (match === null) return undefined;
  const [, resource = '', level = '', reach = ''] = match;
  return { resource, level: LEVELS.indexOf(level), reach };
}
