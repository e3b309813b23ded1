import * as z from 'zod';
import type { WorkingHours } from '../../domain/availability.ts';
import { type Failure, fail, ok, type Outcome } from '../../domain/failure.ts';
import { type Interval, splitInterval } from '../../domain/interval.ts';
import { splitInto } from '../batches.ts';
import { joinBusy } from '../join-busy.ts';
import { graphPath, type GraphRequest, readAs } from './client.ts';
import { type GraphTime, graphTimeSchema, toInstantMs } from './time-zones.ts';
import { lenientWorkingHoursSchema } from './working-hours.ts';

// graph docs: calendar-getschedule; the widest window and the most slots are what the service refuses beyond.
const MOST_ADDRESSES = 20;
const LONGEST_WINDOW_MINUTES = 62 * 24 * 60;
const SHORTEST_SLOT_MINUTES = 5;
const MOST_SLOTS = 1000;

const MINUTE_MS = 60_000;

/** One getSchedule call: whose schedules, over which window, in slots of how many minutes. */
export interface ScheduleCall {
  request: GraphRequest;
  addresses: string[];
  window: Interval;
  slotMinutes: number;
}

/** What getSchedule said of one address. `workingHours` only where it said so. */
export interface Schedule {
  busy: Outcome<Interval[]>;
  workingHours?: WorkingHours[];
}

/** The calls that ask for the free/busy of these mail addresses over all of `range`, with no gap between their windows. */
export function scheduleCalls(addresses: readonly string[], range: Interval): ScheduleCall[] {
  const startMs = Math.floor(range.startMs / MINUTE_MS) * MINUTE_MS;
  const endMinute = Math.ceil(range.endMs / MINUTE_MS) * MINUTE_MS;
  // A window may not be shorter than a slot; what is asked too much is clipped from the answer.
  const endMs = Math.max(endMinute, startMs + SHORTEST_SLOT_MINUTES * MINUTE_MS);
  // Windows of equal length, because a short remainder could be shorter than a slot again; and of whole
  // slots, because Graph does not say whether a part of one at the end gets a digit.
  const minutes = (endMs - startMs) / MINUTE_MS;
  const count = Math.ceil(minutes / LONGEST_WINDOW_MINUTES);
  const slotMinutes = Math.max(SHORTEST_SLOT_MINUTES, Math.ceil(minutes / count / MOST_SLOTS));
  const windowMs = Math.ceil(minutes / count / slotMinutes) * slotMinutes * MINUTE_MS;
  return splitInterval({ startMs, endMs: startMs + count * windowMs }, windowMs).flatMap((window) =>
    splitInto(addresses, MOST_ADDRESSES).map((group) => scheduleCall(group, window, slotMinutes)),
  );
}

function scheduleCall(addresses: string[], window: Interval, slotMinutes: number): ScheduleCall {
  return {
    addresses,
    window,
    slotMinutes,
    request: {
      method: 'POST',
      path: graphPath(['me', 'calendar', 'getSchedule']),
      what: 'getSchedule',
      writes: false,
      body: {
        schedules: addresses,
        startTime: toGraphTime(window.startMs),
        endTime: toGraphTime(window.endMs),
        availabilityViewInterval: slotMinutes,
      },
    },
  };
}

function toGraphTime(ms: number): GraphTime {
  return { dateTime: new Date(ms).toISOString().slice(0, 19), timeZone: 'UTC' };
}

/** Only the frame is checked here, so that one address out of shape costs no other its answer. */
const replySchema = z.object({ value: z.array(z.looseObject({ scheduleId: z.string() })) });
export type ScheduleReply = z.infer<typeof replySchema>;

const scheduleSchema = z.object({
  error: z.object({ responseCode: z.string().nullish() }).nullish(),
  availabilityView: z.string().nullish(),
  scheduleItems: z
    .array(z.object({ status: z.string().nullish(), start: graphTimeSchema, end: graphTimeSchema }))
    .nullish(),
  workingHours: lenientWorkingHoursSchema,
});

/** What one call answered, as far as it concerns all its addresses. */
export function readScheduleReply(answer: Outcome<unknown>): Outcome<ScheduleReply> {
  return readAs(answer, replySchema, 'getSchedule');
}

/**
 * What the calls said, put together by mail address in lower case. An address has a schedule only if
 * every window that was asked for it was answered; else it has the first failure met.
 */
export function readSchedules(
  calls: readonly { call: ScheduleCall; reply: Outcome<ScheduleReply> }[],
): Map<string, Schedule> {
  const schedules = new Map<string, Schedule>();
  for (const { call, reply } of calls) {
    for (const address of call.addresses) {
      const key = address.toLowerCase();
      const entry = reply.ok
        ? reply.value.value.find(({ scheduleId }) => scheduleId.toLowerCase() === key)
        : undefined;
      const piece = reply.ok ? readSchedule(entry, call) : { busy: reply };
      const before = schedules.get(key);
      schedules.set(key, { ...piece, ...before, busy: joinBusy(before?.busy, piece.busy) });
    }
  }
  return schedules;
}

function readSchedule(entry: unknown, { window, slotMinutes }: ScheduleCall): Schedule {
  if (entry === undefined)
    return { busy: fail({ kind: 'malformed', at: 'getSchedule: an address is missing' }) };
  const read = readAs(ok(entry), scheduleSchema, 'getSchedule');
  if (!read.ok) return { busy: read };
  const { error, scheduleItems, availabilityView, workingHours } = read.value;
  if (error !== undefined && error !== null)
    return { busy: fail(readScheduleError(error.responseCode ?? '')) };
  // No items may mean that there are none, or that the details are withheld: only the view can tell.
  const busy =
    scheduleItems && scheduleItems.length > 0
      ? readItems(scheduleItems)
      : readView(availabilityView ?? '', window, slotMinutes);
  return { busy, ...(workingHours && { workingHours }) };
}

/** Items are instants: unlike a calendar view, getSchedule converts all-day events from the mailbox's zone. */
function readItems(items: NonNullable<z.infer<typeof scheduleSchema>['scheduleItems']>): Outcome<Interval[]> {
  const busy: Interval[] = [];
  for (const { status, start, end } of items) {
    if (status === 'free' || status === 'workingElsewhere') continue;
    const [startMs, endMs] = [toInstantMs(start), toInstantMs(end)];
    if (startMs === undefined || endMs === undefined)
      return fail({ kind: 'malformed', at: 'getSchedule.scheduleItems' });
    busy.push({ startMs, endMs });
  }
  return ok(busy);
}

/** Where there are no items: one digit per slot, of which only `0` is surely free; unknown unless they cover the window. */
function readView(view: string, window: Interval, slotMinutes: number): Outcome<Interval[]> {
  const slotMs = slotMinutes * MINUTE_MS;
  if (view.length * slotMs < window.endMs - window.startMs) {
    return fail({ kind: 'malformed', at: 'getSchedule.availabilityView' });
  }
  const busy: Interval[] = [];
  for (let slot = 0; window.startMs + slot * slotMs < window.endMs; slot++) {
    const startMs = window.startMs + slot * slotMs;
    if (view[slot] !== '0') busy.push({ startMs, endMs: Math.min(startMs + slotMs, window.endMs) });
  }
  return ok(busy);
}

const UNKNOWN_ADDRESS = ['ErrorMailRecipientNotFound', 'ErrorInvalidSmtpAddress', 'ErrorNonExistentMailbox'];
const TRY_LATER = [
  'ErrorServerBusy',
  'ErrorTimeoutExpired',
  'ErrorInternalServerError',
  'ErrorInternalServerTransientError',
  'ErrorMailboxStoreUnavailable',
];

/**
 * Why one schedule could not be read. No access to somebody's calendar is `rejected`, not
 * `consent-missing`: it is not for the person to grant.
 */
function readScheduleError(responseCode: string): Failure {
  if (UNKNOWN_ADDRESS.includes(responseCode)) return { kind: 'not-found', what: 'schedule' };
  if (TRY_LATER.includes(responseCode)) return { kind: 'unavailable', ambiguous: false };
  const code = /^[A-Za-z0-9_.-]{1,64}$/.test(responseCode) ? responseCode : 'unknown';
  return { kind: 'rejected', status: 200, code };
}
