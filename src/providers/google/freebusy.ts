import * as z from 'zod';
import type { BusyReport, CalendarReading } from '../../domain/availability.ts';
import { type Failure, fail, ok, type Outcome } from '../../domain/failure.ts';
import { type Interval, splitInterval } from '../../domain/interval.ts';
import { parseInstant } from '../../domain/time-zone.ts';
import { splitInto } from '../batches.ts';
import { findCommonFailure } from '../common-failure.ts';
import { joinBusy } from '../join-busy.ts';
import type { Access, BusyQuestion } from '../provider.ts';
import { listCalendars, pickCounting } from './calendars.ts';
import { type ApiCall, callApi, callApiInBatch } from './client.ts';

/** The most calendars that one query may expand to (discovery document: calendarExpansionMax). */
const MAX_CALENDARS = 50;
/** Google is reported to refuse about 90 days; the cap is not documented, so stay well below it. */
const LONGEST_PIECE_MS = 60 * 24 * 60 * 60 * 1000;

/** One query and the part of the question it covers. */
interface Piece {
  ids: string[];
  call: ApiCall;
}

/**
 * Reads busy times through freeBusy.query: one call, or a batch when calendars (50 each) or range
 * (60 days each) need several. A calendar is readable only if every piece of it was: one that Google
 * reports an error for, leaves out, or describes wrongly carries that failure and is never free.
 * Fails as a whole when the calendar list cannot be read, when the token is refused anywhere (so
 * that the caller can refresh it and ask again), or when queries fail alike for every calendar.
 */
export async function readBusy(
  apiUrl: string,
  question: BusyQuestion,
  access: Access,
): Promise<Outcome<BusyReport>> {
  const named = question.calendars ?? [];
  const ids = named.length > 0 ? ok([...new Set(named)]) : await findCounting(apiUrl, access);
  if (!ids.ok) return ids;
  const pieces = splitQuestion(question.range, ids.value);
  const answers = await askPieces(apiUrl, access, pieces);
  const failure = findCommonFailure(
    ids.value,
    pieces.map((piece, index) => ({
      calendars: piece.ids,
      answer: answers[index] ?? malformed('calendars'),
    })),
  );
  if (failure !== undefined) return fail(failure);
  return ok({ calendars: ids.value.map((id) => combine(id, pieces, answers, access)) });
}

async function findCounting(apiUrl: string, access: Access): Promise<Outcome<string[]>> {
  const entries = await listCalendars(apiUrl, access);
  return entries.ok ? ok(pickCounting(entries.value)) : entries;
}

/** Every calendar with every stretch of `range`, each pair exactly once, in calls within Google's caps. */
export function splitQuestion({ startMs, endMs }: Interval, ids: readonly string[]): Piece[] {
  // Google may drop fractions of seconds: whole ones around the range lose nothing of it.
  const range = { startMs: Math.floor(startMs / 1000) * 1000, endMs: Math.ceil(endMs / 1000) * 1000 };
  const stretches = splitInterval(range, LONGEST_PIECE_MS);
  return splitInto(ids, MAX_CALENDARS).flatMap((group) =>
    stretches.map((stretch) => ({ ids: group, call: toCall(stretch, group) })),
  );
}

function toCall({ startMs, endMs }: Interval, ids: readonly string[]): ApiCall {
  return {
    method: 'POST',
    path: ['freeBusy'],
    body: {
      timeMin: new Date(startMs).toISOString(),
      timeMax: new Date(endMs).toISOString(),
      timeZone: 'UTC',
      calendarExpansionMax: MAX_CALENDARS,
      items: ids.map((id) => ({ id })),
    },
    what: 'free/busy',
    writes: false,
  };
}

/** Only the frame is checked here, so that one calendar out of shape costs no other its answer. */
const replySchema = z.object({
  calendars: z.record(z.string(), z.unknown()),
  groups: z.record(z.string(), z.unknown()).optional(),
});
type FreeBusyReply = z.infer<typeof replySchema>;

const errorsSchema = z.array(z.object({ reason: z.string().optional().catch(undefined) })).optional();
const calendarSchema = z.object({
  errors: errorsSchema,
  busy: z.array(z.object({ start: z.string(), end: z.string() })).optional(),
});
const groupSchema = z.object({ errors: errorsSchema, calendars: z.array(z.string()).optional() });

async function askPieces(
  apiUrl: string,
  access: Access,
  pieces: readonly Piece[],
): Promise<Outcome<FreeBusyReply>[]> {
  const [first, ...others] = pieces;
  if (first !== undefined && others.length === 0)
    return [await callApi(apiUrl, access, first.call, replySchema)];
  const calls = pieces.map(({ call }) => call);
  return callApiInBatch(apiUrl, access, calls, replySchema);
}

function combine(
  id: string,
  pieces: readonly Piece[],
  answers: readonly Outcome<FreeBusyReply>[],
  access: Access,
): CalendarReading {
  let busy: Outcome<Interval[]> | undefined;
  for (const [index, { ids }] of pieces.entries()) {
    if (!ids.includes(id)) continue;
    const answer = answers[index] ?? malformed('calendars');
    busy = joinBusy(busy, answer.ok ? readCalendar(id, ids, answer.value, access) : answer);
  }
  return { id, busy: busy ?? malformed('calendars') };
}

/** What a reply says of the calendar that was asked for as `id`, one of `asked`. */
function readCalendar(
  id: string,
  asked: readonly string[],
  reply: FreeBusyReply,
  access: Access,
): Outcome<Interval[]> {
  const { calendars, groups = {} } = reply;
  if (Object.hasOwn(calendars, id)) return readBlocks(calendars[id]);
  if (Object.hasOwn(groups, id)) return readGroup(groups[id], calendars);
  const key = id === 'primary' ? findPrimary(asked, reply, access) : undefined;
  // Silence about a calendar is not a free calendar.
  return key === undefined ? malformed('calendars') : readBlocks(calendars[key]);
}

/** Under which name the reply speaks of the primary calendar: its address, or the one name nobody asked for. */
function findPrimary(
  asked: readonly string[],
  { calendars, groups }: FreeBusyReply,
  { account }: Access,
): string | undefined {
  const names = Object.keys(calendars);
  const own = names.find((name) => name.toLowerCase() === account.email?.toLowerCase());
  if (own !== undefined) return own;
  // With groups about, a name nobody asked for may be a member's.
  if (Object.keys(groups ?? {}).length > 0) return undefined;
  const others = names.filter((name) => !asked.includes(name));
  return others.length === 1 ? others[0] : undefined;
}

/** A group is busy when any of its members is, and known only if all of them are. */
function readGroup(value: unknown, calendars: Readonly<Record<string, unknown>>): Outcome<Interval[]> {
  const group = groupSchema.safeParse(value);
  if (!group.success) return malformed('groups');
  const failure = readErrors(group.data.errors);
  if (failure !== undefined) return fail(failure);
  if (group.data.calendars === undefined) return malformed('groups');
  const busy: Interval[] = [];
  for (const member of group.data.calendars) {
    const read = Object.hasOwn(calendars, member) ? readBlocks(calendars[member]) : malformed('groups');
    if (!read.ok) return read;
    busy.push(...read.value);
  }
  return ok(busy);
}

function readBlocks(value: unknown): Outcome<Interval[]> {
  const calendar = calendarSchema.safeParse(value);
  if (!calendar.success) return malformed('calendars');
  const failure = readErrors(calendar.data.errors);
  if (failure !== undefined) return fail(failure);
  if (calendar.data.busy === undefined) return malformed('busy');
  const busy: Interval[] = [];
  for (const { start, end } of calendar.data.busy) {
    const startMs = parseInstant(start);
    const endMs = parseInstant(end);
    if (typeof startMs !== 'number' || typeof endMs !== 'number' || startMs > endMs) return malformed('busy');
    // An event without length takes no time.
    if (startMs < endMs) busy.push({ startMs, endMs });
  }
  return ok(busy);
}

/** The failure behind the errors of one calendar or group (discovery document: Error); undefined for none. */
function readErrors(errors: z.infer<typeof errorsSchema>): Failure | undefined {
  const [first] = errors ?? [];
  if (first === undefined) return undefined;
  if (first.reason === 'notFound') return { kind: 'not-found', what: 'calendar' };
  if (first.reason === 'groupTooBig' || first.reason === 'tooManyCalendarsRequested')
    return { kind: 'rejected', status: 200, code: first.reason };
  // The list of reasons is said to grow: what is not known to be lasting may pass.
  return { kind: 'unavailable', ambiguous: false };
}

function malformed(place: string): Outcome<never> {
  return fail({ kind: 'malformed', at: `free/busy.${place}` });
}
