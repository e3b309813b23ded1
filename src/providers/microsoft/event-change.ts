import type { EventChange, EventTime } from '../../domain/event.ts';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import { CONFIRMED, type EventBody, type GraphEvent, invite, silent, textBody } from './event-resource.ts';
import { writeTimes, writeZonedTimes } from './event-times.ts';
import { toIanaZone, toWindowsZone } from './time-zones.ts';

/**
 * What to send so that `event` becomes what `change` asks for. Attendees who stay keep their answers.
 *
 * @returns or `unsupported`: silence towards the attendees of an own meeting, another day or zone for a
 *   whole series (its pattern would no longer fit), or another description of an online meeting (the
 *   old one holds the link to join it, and the meeting ends with it).
 */
export function changedEvent(event: GraphEvent, change: EventChange): Outcome<EventBody> {
  const { summary, description, location, time, attendees, notify } = change;
  const told = (event.attendees?.length ?? 0) + (attendees?.length ?? 0);
  if (notify === 'none' && told > 0 && event.isOrganizer !== false) return silent();
  if (description !== undefined && event.isOnlineMeeting === true) {
    const detail = 'the description of a Microsoft online meeting holds the link to join it';
    return fail({ kind: 'unsupported', field: 'description', detail });
  }
  const when = time === undefined ? ok({}) : writeChangedTimes(event, time);
  if (!when.ok) return when;
  return ok({
    ...when.value,
    ...(change.confirms === true && CONFIRMED),
    ...(summary !== undefined && { subject: summary }),
    ...(description !== undefined && { body: textBody(description) }),
    ...(location !== undefined && { location: { displayName: location } }),
    ...(attendees !== undefined && { attendees: mergeAttendees(event, attendees) }),
  });
}

/** Whether an event is already what this change makes of a hold. */
export function isConfirmed(event: GraphEvent, { confirms, summary, attendees = [] }: EventChange): boolean {
  const there = new Set(event.attendees?.map(({ emailAddress }) => emailAddress?.address?.toLowerCase()));
  return (
    confirms === true &&
    event.showAs !== 'tentative' &&
    event.subject === summary &&
    attendees.every((address) => there.has(address.toLowerCase()))
  );
}

function writeChangedTimes(event: GraphEvent, time: EventTime): Outcome<EventBody> {
  if (event.type !== 'seriesMaster') return writeTimes(time);
  const zoned = writeZonedTimes(time);
  if (!zoned.ok) return zoned;
  const { zoneName, ...times } = zoned.value;
  const refuse = (field: string, what: string) =>
    fail({ kind: 'unsupported', field, detail: `Microsoft cannot move a whole series to another ${what}` });
  const zone = toIanaZone(event.originalStartTimeZone ?? '');
  if (zone === undefined || toWindowsZone(zone) !== zoneName) return refuse('timeZone', 'zone');
  const day = event.recurrence?.range?.startDate;
  if (typeof day !== 'string' || times.start.dateTime?.startsWith(day) !== true)
    return refuse('start', 'day');
  return ok(times);
}

/** Those who stay are sent back as Graph described them. */
function mergeAttendees(event: GraphEvent, addresses: readonly string[]): EventBody['attendees'] & {} {
  const isOf = (address: string, other: string | null | undefined) =>
    other?.toLowerCase() === address.toLowerCase();
  return addresses.map(
    (address) =>
      event.attendees?.find(({ emailAddress }) => isOf(address, emailAddress?.address)) ?? invite(address),
  );
}
