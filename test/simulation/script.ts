import { createHash } from 'node:crypto';
import type { CalendarTask } from '../../src/domain/task.ts';
import type { Climate } from './climate.ts';
import type { Random } from './random.ts';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const HOLD_IDS: [string, string, string] = ['a', 'b', 'c'];

/** A task on its way to its connector. Times in milliseconds from the start. */
export interface Order {
  task: CalendarTask & { id: string };
  atMs: number;
  /** Its caller waits for the end; else it comes by the queue. */
  isAwaited: boolean;
  /** When it is delivered again, whatever became of it. */
  repeatsAtMs: number[];
}

/** The key under which a task's event is made, as the actor derives it. */
export function creationKeyOf(connectorId: string, taskId: string): string {
  return createHash('sha256')
    .update(JSON.stringify([connectorId, taskId]))
    .digest('hex');
}

/** What one connector is asked for: tasks of all types, in bursts, some of them more than once. */
export function writeScript(
  connectorId: string,
  startMs: number,
  { rainMs, repeat }: Climate,
  random: Random,
): Order[] {
  const orders: Order[] = [];
  const created: string[] = [];
  const count = random.whole(5, 20);
  const spanMs = random.pick(2 * SECOND_MS, 30 * SECOND_MS, Math.max(30 * SECOND_MS, rainMs));
  let atMs = 0;
  for (let index = 1; index <= count; index += 1) {
    const id = `t${index}`;
    // Half of them come together with the one before.
    if (random.chance(0.5)) atMs = random.whole(0, spanMs);
    const { type, payload } = drawTask(id, created, startMs, random);
    if (type === 'create-event') created.push(creationKeyOf(connectorId, id));
    const deadline = random.chance(0.15)
      ? { deadlineMs: startMs + atMs + random.pick(500, 20 * SECOND_MS, 300 * SECOND_MS) }
      : {};
    orders.push({
      task: { id, type, connectorId, payload, ...deadline },
      atMs,
      isAwaited: random.chance(0.3),
      repeatsAtMs: random.chance(repeat) ? [atMs + random.pick(0, 1, 10 * SECOND_MS, 600 * SECOND_MS)] : [],
    });
  }
  return orders;
}

function drawTask(
  id: string,
  created: readonly string[],
  startMs: number,
  random: Random,
): Pick<CalendarTask, 'type' | 'payload'> {
  const slot = () => {
    const fromMs = startMs + 24 * HOUR_MS + random.whole(0, 4) * HOUR_MS;
    return {
      start: new Date(fromMs).toISOString(),
      end: new Date(fromMs + random.whole(1, 2) * HOUR_MS).toISOString(),
      timeZone: 'UTC',
    };
  };
  const known = () => created[random.whole(0, Math.max(0, created.length - 1))] ?? 'event-of-nobody';
  const holdId = random.pick(...HOLD_IDS);
  const type = random.pick<CalendarTask['type']>(
    ...(['create-event', 'create-event', 'create-event', 'update-event', 'cancel-event'] as const),
    ...(['place-hold', 'place-hold', 'place-hold', 'place-hold', 'cancel-hold', 'confirm-hold'] as const),
    ...(['confirm-hold', 'check-availability', 'check-availability', 'check-availability'] as const),
    'refresh-token',
  );
  switch (type) {
    case 'create-event':
      return { type, payload: { summary: `created by ${id}`, ...slot() } };
    case 'update-event':
      return { type, payload: { eventId: known(), summary: `changed by ${id}` } };
    case 'cancel-event':
      return { type, payload: { eventId: known() } };
    case 'place-hold':
      return {
        type,
        payload: {
          holdId,
          ...slot(),
          ttlSeconds: random.pick(30, 90, 600),
          onConflict: random.pick('reject', 'reject', 'allow'),
        },
      };
    case 'cancel-hold':
      return { type, payload: { holdId } };
    case 'confirm-hold':
      return { type, payload: { holdId, summary: `confirmed by ${id}` } };
    case 'check-availability': {
      const { start, end, timeZone } = slot();
      const calendars = random.chance(0.5)
        ? {}
        : { calendars: ['primary', 'team'].slice(0, random.whole(1, 2)) };
      return { type, payload: { timeMin: start, timeMax: end, timeZone, ...calendars } };
    }
    case 'refresh-token':
    case 'sync-calendar':
    case 'disconnect':
      return { type: 'refresh-token', payload: {} };
  }
}
