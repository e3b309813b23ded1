import * as z from 'zod';
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
 * Calls a method side by side: `lanes` are what each of its calls takes, and `wide` loops go through each lane. How
 * long each took, milliseconds; throws when one of them fails.
 */
async function callInLoops(calendar: Service<CalendarService>, args: unknown[]): Promise<number[]> {
  const [wide, method, lanes] = loopsSchema.parse(args);
  const call: unknown = Reflect.get(calendar, method);
  if (typeof call !== 'function') throw new Error(`no such method: ${method}`);
  const walls: number[] = [];
  const loops = lanes.flatMap((lane) => {
    const waiting = lane.values();
    return Array.from({ length: wide }, async () => {
      for (const taken of waiting) {
        const startedAtMs = performance.now();
        // oxlint-disable-next-line no-await-in-loop
        const answer = answerSchema.parse(await Reflect.apply(call, calendar, taken));
        walls.push(performance.now() - startedAtMs);
        if (!answer.ok) throw new Error(`${method}: ${JSON.stringify(answer.problem)}`);
      }
    });
  });
  await Promise.all(loops);
  return walls;
}

const loopsSchema = z.tuple([z.int().min(1), z.string(), z.array(z.array(z.array(z.unknown())))]);
const answerSchema = z.object({ ok: z.boolean(), problem: z.optional(z.unknown()) });

/**
 * A sibling Worker of the local runtime: calls what a test names, `{method, args}`, on its binding, and
 * answers with the value; `bookMeeting` runs a whole booking, `inARow` takes how often, the method, and what it takes,
 * `inLoops` how many loops, the method, and what each of its calls takes.
 */
export default {
  async fetch(request: Request, { CALENDAR }: CallerEnv): Promise<Response> {
    const { method, args }: { method: string; args: unknown[] } = await request.json();
    if (method === 'bookMeeting') return Response.json(await bookMeeting(CALENDAR, args.map(String)));
    if (method === 'inLoops') return Response.json(await callInLoops(CALENDAR, args));
    if (method === 'inARow') return Response.json(await callInARow(CALENDAR, args));
    const call: unknown = Reflect.get(CALENDAR, method);
    if (typeof call !== 'function') return new Response('no such method', { status: 404 });
    return Response.json(await Reflect.apply(call, CALENDAR, args));
  },
};
