/** What the API answered when it was not what was asked for (RFC 9457). */
export class ApiProblem extends Error {
  constructor(status, code, detail, { retryAfter, errors = [] } = {}) {
    super(detail);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
    this.errors = errors;
  }
}

/** The worker's API with one token. Every call throws an ApiProblem when it fails. */
export function createApi(token) {
  const call = async (method, path, body) => {
    let response;
    try {
      response = await fetch(path, {
        method,
        cache: 'no-store',
        credentials: 'omit',
        headers: {
          Authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    } catch {
      throw new ApiProblem(0, 'no_answer', 'The worker does not answer. Is it running?');
    }
    const read = await readJson(response);
    if (response.ok && read !== undefined) return read;
    throw new ApiProblem(
      response.status,
      typeof read?.code === 'string' ? read.code : `http_${response.status}`,
      typeof read?.detail === 'string' ? read.detail : 'The worker gave an answer that cannot be read.',
      {
        retryAfter: response.headers.get('Retry-After') ?? undefined,
        ...(Array.isArray(read?.errors) && { errors: read.errors }),
      },
    );
  };
  const of = (connectorId) => `/v1/connectors/${encodeURIComponent(connectorId)}`;
  return {
    listConnectors: async (userId) =>
      (await call('GET', `/v1/connectors?userId=${encodeURIComponent(userId)}`)).connectors,
    connect: (request) => call('POST', '/v1/connectors', request),
    disconnect: (connectorId) => call('DELETE', of(connectorId)),
    availability: (connectorId, question) => call('POST', `${of(connectorId)}/availability`, question),
  };
}

async function readJson(response) {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}
