import { z } from 'zod';
import { jsonAnswer, Refused } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { Person } from '../people.ts';
import { isLoopback } from '../pushes.ts';
import type { World } from '../world.ts';
import { readCalendarListQuery } from './calendars.ts';
import type { ChannelInput } from './channels.ts';
import { badRequest, calendarError } from './errors.ts';
import { readable, readListQuery } from './events.ts';
import { readJson } from './json-body.ts';
import { readQuery } from './query.ts';

const WholeNumber = z.union([z.int().min(0), z.string().regex(/^\d{1,16}$/)]).transform(Number);

const ChannelBody = z.strictObject({
  kind: z.string().exactOptional(),
  id: z.string().exactOptional(),
  type: z.string().exactOptional(),
  address: z.string().exactOptional(),
  token: z.string().max(256).exactOptional(),
  expiration: WholeNumber.exactOptional(),
  params: z.looseObject({ ttl: WholeNumber.exactOptional() }).exactOptional(),
  payload: z.boolean().exactOptional(),
  resourceId: z.string().exactOptional(),
  resourceUri: z.string().exactOptional(),
});

const DAY_MS = 24 * 3_600_000;
const USUAL_MS = 7 * DAY_MS;
const LONGEST_MS = 30 * DAY_MS;

/** POST calendars/{id}/events/watch: whoever may list the events may be told of their changes. */
export function watchEvents(ask: Ask, person: Person, id: string, { world }: { world: World }): Answer {
  const { calendar } = readable(person, id);
  readListQuery(ask);
  return openChannel(ask, world, person, calendar.id);
}

/** POST users/me/calendarList/watch. */
export function watchCalendarList(
  ask: Ask,
  person: Person,
  _id: string,
  { world }: { world: World },
): Answer {
  readCalendarListQuery(ask);
  return openChannel(ask, world, person);
}

/** POST channels/stop: by the person who opened the channel, with both of its names. */
export function stopChannel(ask: Ask, person: Person, _id: string, { world }: { world: World }): Answer {
  readQuery(ask, []);
  const { id, resourceId } = readJson(ask, ChannelBody);
  if (id === undefined) throw badRequest('required', 'Required', 'id');
  if (resourceId === undefined) throw badRequest('required', 'Required', 'resourceId');
  if (world.channels.stop(person, id, resourceId)) return { status: 204 };
  throw new Refused(calendarError(404, 'notFound', `Channel '${id}' not found for project.`));
}

function openChannel(ask: Ask, world: World, person: Person, calendarId?: string): Answer {
  const input = readChannel(ask, world.now());
  const path = ask.url.pathname.replace(/\/watch$/, '');
  const channel = world.channels.open({
    ...input,
    person,
    ...(calendarId === undefined ? {} : { calendarId }),
    resourceUri: `${world.origin()}${path}?alt=json`,
  });
  if (channel === undefined) throw badRequest('channelIdNotUnique', `Channel id ${input.id} not unique`);
  return jsonAnswer(200, {
    kind: 'api#channel',
    id: channel.id,
    resourceId: channel.resourceId,
    resourceUri: channel.resourceUri,
    ...(input.token === undefined ? {} : { token: input.token }),
    expiration: String(channel.expiresAtMs),
  });
}

function readChannel(
  ask: Ask,
  nowMs: number,
): Pick<ChannelInput, 'id' | 'address' | 'token' | 'expiresAtMs'> {
  const { id = '', type, address, token, expiration, params } = readJson(ask, ChannelBody);
  if (id === '') throw badRequest('required', 'Required', 'id');
  if (!/^[A-Za-z0-9\-_+/=]{1,64}$/.test(id)) throw badRequest('invalid', 'Invalid channel id.', 'id');
  if (type !== 'web_hook' && type !== 'webhook') {
    throw badRequest('push.channelTypeNotSupported', 'Channel type not supported.', 'type');
  }
  if (address === undefined) throw badRequest('required', 'Required', 'address');
  if (!URL.canParse(address)) throw badRequest('push.webhookUrlNotValid', 'Invalid WebHook URL.', 'address');
  // Only the sandbox lets a client on this machine do without https.
  if (new URL(address).protocol !== 'https:' && !isLoopback(address)) {
    throw badRequest('push.webhookUrlNotHttps', `WebHook callback must be HTTPS: ${address}`, 'address');
  }
  if (expiration !== undefined && expiration <= nowMs) {
    throw badRequest('invalid', 'The expiration has passed.', 'expiration');
  }
  const { ttl } = params ?? {};
  const asked = [
    ...(expiration === undefined ? [] : [expiration - nowMs]),
    ...(ttl === undefined ? [] : [ttl * 1000]),
  ];
  const lifeMs = Math.min(LONGEST_MS, ...(asked.length === 0 ? [USUAL_MS] : asked));
  return { id, address, ...(token === undefined ? {} : { token }), expiresAtMs: nowMs + lifeMs };
}
