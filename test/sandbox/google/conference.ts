import { z } from 'zod';
import type { Dice } from '../dice.ts';
import { badRequest } from './errors.ts';
import type { EventBody } from './event-body.ts';

/** The conference an event has, as the store keeps it among Google's own properties. */
export interface Conference {
  readonly conferenceData?: unknown;
  readonly hangoutLink?: unknown;
}

const LETTERS = 'abcdefghijkmnopqrstuvwxyz';
const Known = z.looseObject({
  conferenceId: z.string(),
  createRequest: z.looseObject({ requestId: z.string() }).optional(),
});

/**
 * The conference of an event that is being written. Only `conferenceDataVersion=1` lets a client touch it; a
 * request with an id that was used for this event already makes no other conference.
 */
export function conferenceOf(
  wanted: EventBody['conferenceData'],
  version: number,
  before: Conference,
  chance: Dice,
): Conference {
  if (version === 0) return before;
  if (wanted === undefined || wanted === null) return {};
  const known = Known.safeParse(before.conferenceData);
  const request = wanted.createRequest;
  if (request === undefined || request === null) {
    if (known.success && wanted.conferenceId === known.data.conferenceId) return before;
    throw badRequest('invalid', 'Invalid conference data.', 'conferenceData');
  }
  if (request.requestId === undefined) {
    throw badRequest('required', 'Missing conference request id.', 'conferenceData');
  }
  if (known.success && known.data.createRequest?.requestId === request.requestId) return before;
  if (request.conferenceSolutionKey?.type !== 'hangoutsMeet') {
    throw badRequest('invalid', 'Invalid conference type value.', 'conferenceData');
  }
  const conferenceId = [3, 4, 3].map((length) => chance.text(length, LETTERS)).join('-');
  const uri = `https://meet.google.com/${conferenceId}`;
  const key = { type: 'hangoutsMeet' };
  return {
    hangoutLink: uri,
    conferenceData: {
      createRequest: {
        requestId: request.requestId,
        conferenceSolutionKey: key,
        status: { statusCode: 'success' },
      },
      entryPoints: [{ entryPointType: 'video', uri, label: uri.slice('https://'.length) }],
      conferenceSolution: { key, name: 'Google Meet' },
      conferenceId,
    },
  };
}
