import * as z from 'zod';
import type { Stage } from './stage.ts';

const answerSchema = z.object({
  busy: z.array(z.object({ start: z.string(), end: z.string() })),
  workingHours: z.array(z.unknown()).optional(),
  calendars: z.array(z.object({ id: z.string(), status: z.string() })),
  freshness: z.object({ source: z.string(), asOf: z.string() }),
});

const DAY_MS = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString();
/** All that a mirror promises to cover: at least one change of the clocks is in it. */
export const ALL = { timeMin: inDays(-31), timeMax: inDays(180), timeZone: 'Europe/Berlin' };

/** A local hour of the day so many days from now. */
export function hourOn(days: number, hour: number, length = 1) {
  const day = inDays(days).slice(0, 10);
  const at = (n: number) => `${day}T${String(n).padStart(2, '0')}:00:00`;
  return { start: at(hour), end: at(hour + length) };
}

/** When is the account busy, by default all that a mirror covers. */
export async function askBusy({ runtime }: Stage, connectorId: string, question: object = {}) {
  const path = `/v1/connectors/${connectorId}/availability`;
  const answer = await runtime.api('POST', path, { ...ALL, ...question });
  if (answer.status !== 200) throw new Error(`availability: ${answer.status} ${answer.text}`);
  return answerSchema.parse(answer.json);
}

/** Has a mirror brought up to date; its notice. */
export async function sync({ runtime }: Stage, connectorId: string) {
  const { json } = await runtime.api('POST', '/v1/tasks', {
    tasks: [{ type: 'sync-calendar', connectorId, payload: {} }],
  });
  const [id] = z.object({ ids: z.array(z.string()) }).parse(json).ids;
  const notice = await runtime.notice(({ taskId }) => taskId === id);
  if (notice.type !== 'task-completed') throw new Error(`sync: ${JSON.stringify(notice)}`);
  return notice;
}

/** What the mirror and the provider say: where they agree, and where each was asked. */
export async function compare(stage: Stage, connectorId: string) {
  const { freshness: mirrored, ...mirror } = await askBusy(stage, connectorId);
  const { freshness: direct, ...live } = await askBusy(stage, connectorId, { maxStalenessMs: 0 });
  return { mirror, live, sources: [mirrored.source, direct.source] };
}
