import { readBounded } from '../bounded-text.ts';
import { actorOf } from '../connector/stub.ts';
import { readRef } from '../crypto/webhook-ref.ts';
import { providerNameSchema } from '../domain/connector.ts';
import { describeThrown } from '../metrics.ts';
import type { Context } from '../operations/context.ts';
import { createProvider } from '../providers/index.ts';
import type { PushNotice } from '../providers/provider-sync.ts';
import { accepted, nothingHere, plainText, problem } from './respond.ts';
import { readSegment } from './write.ts';

/** The largest notification that is read, bytes: one of Graph's holds many changes. */
const MOST_BYTES = 256 * 1024;
/** The longest text that is sent back to prove that the address is ours. */
const LONGEST_ANSWER = 4_096;

/**
 * `POST /webhooks/:provider/:ref`: the provider tells that something has changed. No token comes with it: the ref
 * shows that this worker gave the address away. One that it did not write is an address like any other where nothing
 * is, found out without a look at any connector. Whether a notification is genuine, its actor judges.
 */
export async function takePush(
  request: Request,
  { provider: named, ref }: { provider: string; ref: string },
  context: Context,
): Promise<Response> {
  const { config, record } = context;
  const provider = providerNameSchema.safeParse(named).data;
  if (provider === undefined) return nothingHere();
  const connectorId = await readRef(config.keyring, provider, readSegment(ref));
  if (connectorId === undefined) return nothingHere();
  try {
    const body = await readBounded(request, MOST_BYTES);
    if (body === undefined) return unreadable(`The body has more than ${MOST_BYTES} bytes.`);
    const headers = new Map(request.headers);
    const query = new URL(request.url).searchParams;
    const push = createProvider(provider, config).sync.readPush({ headers, query, body });
    if (push === undefined) return unreadable('This is no notification.');
    if ('notices' in push) return await hand(push.notices, connectorId, context);
    if (push.answer.length > LONGEST_ANSWER) return unreadable('The text to answer with is too long.');
    return plainText(push.answer);
  } catch (thrown) {
    // Caught here: the address, which is told elsewhere, holds the ref.
    record({ event: 'error', where: `webhook of ${connectorId}`, detail: describeThrown(thrown) });
    return tryAgain();
  }
}

/** Gives notices to the actor, which answers before it does anything about them. */
async function hand(
  notices: PushNotice[],
  connectorId: string,
  { env, record }: Pick<Context, 'env' | 'record'>,
): Promise<Response> {
  if (notices.length === 0) return accepted();
  const taken = await actorOf(env, connectorId).notified(notices);
  if (taken.ok) return accepted();
  record({ event: 'error', where: `webhook of ${connectorId}`, detail: taken.failure.kind });
  return tryAgain();
}

/** Has the provider send it again. */
function tryAgain(): Response {
  const detail = 'The notification could not be taken on; try again later.';
  return problem({ code: 'provider_unavailable', detail, retryAfterSeconds: 5 });
}

function unreadable(detail: string): Response {
  return problem({ code: 'invalid_request', detail });
}
