import type { CalendarService } from '../../src/calendar-service.ts';

/** The binding as a sibling Worker declares it. */
interface CallerEnv {
  CALENDAR: Service<CalendarService>;
}

/** A meeting, booked from another Worker as its code would: each step typed, each failure a value. */
async function bookMeeting(calendar: Service<CalendarService>, connectorIds: string[]): Promise<object> {
  const range = {
    timeMin: '2027-03-01T00:00:00',
    timeMax: '2027-03-02T00:00:00',
    timeZone: 'Europe/Berlin',
  };
  const times = await calendar.meetingTimesOfAll({ connectorIds, ...range, durationMinutes: 60 });
  if (!times.ok) return times.problem;
  const [first] = times.value.suggestions;
  if (first === undefined) return { code: 'nothing suits' };
  const holdId = crypto.randomUUID();
  const slots = connectorIds.map((connectorId) => ({ connectorId }));
  const held = await calendar.placeGroupHold({ holdId, slots, ...first, timeZone: range.timeZone });
  if (!held.ok) return held.problem;
  const confirmed = await calendar.confirmGroupHold(holdId, {
    summary: 'Planning',
    attendees: [{ email: 'guest@example.com' }],
  });
  return confirmed.ok ? confirmed.value.hold : confirmed.problem;
}

/** Calls a method so many times, one after the other; every answer. */
async function callInARow(
  calendar: Service<CalendarService>,
  [times, method, ...args]: unknown[],
): Promise<unknown[]> {
  const call: unknown = Reflect.get(calendar, String(method));
  if (typeof call !== 'function') throw new Error(`no such method: ${String(method)}`);
  const answers: unknown[] = [];
  while (answers.length < Number(times)) {
    // oxlint-disable-next-line no-await-in-loop
    answers.push(await Reflect.apply(call, calendar, args));
  }
  return answers;
}

/**
 * A sibling Worker of the local runtime: calls what a test names, `{method, args}`, on its binding, and
 * answers with the value; `bookMeeting` runs a whole booking, `inARow` takes how often, the method, and what it takes.
 */
export default {
  async fetch(request: Request, { CALENDAR }: CallerEnv): Promise<Response> {
    const { method, args }: { method: string; args: unknown[] } = await request.json();
    if (method === 'bookMeeting') return Response.json(await bookMeeting(CALENDAR, args.map(String)));
    if (method === 'inARow') return Response.json(await callInARow(CALENDAR, args));
    const call: unknown = Reflect.get(CALENDAR, method);
    if (typeof call !== 'function') return new Response('no such method', { status: 404 });
    return Response.json(await Reflect.apply(call, CALENDAR, args));
  },
};
