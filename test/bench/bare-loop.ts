import { type BenchStage, nextHour, type Target } from './stage.ts';

/** One call, past the worker as the worker would send it, or through it. */
export type BareCall = (stage: BenchStage, target: Target) => Promise<void>;

/** Asks for the schedule of the account's own address. */
export const askSchedule: BareCall = async (stage, target) => {
  const { start, end } = nextHour();
  await post(stage, target, '/v1.0/me/calendar/getSchedule', {
    schedules: [target.email],
    startTime: { dateTime: start.slice(0, 19), timeZone: 'UTC' },
    endTime: { dateTime: end.slice(0, 19), timeZone: 'UTC' },
    availabilityViewInterval: 5,
  });
};

/** Creates an event. */
export const createEvent: BareCall = async (stage, target) => {
  const { start, end } = nextHour();
  await post(stage, target, '/v1.0/me/events', {
    subject: 'Bare',
    start: { dateTime: start.slice(0, 19), timeZone: 'UTC' },
    end: { dateTime: end.slice(0, 19), timeZone: 'UTC' },
    transactionId: crypto.randomUUID(),
  });
};

/** For each target `wide` loops that do nothing but call, `calls` in all: past the worker, the ideal to be measured by. */
export async function runLoops(
  stage: BenchStage,
  targets: readonly Target[],
  { wide, calls, call }: { wide: number; calls: number; call: BareCall },
): Promise<void> {
  const loops = targets.flatMap((target) => {
    let left = calls;
    return Array.from({ length: wide }, async () => {
      while (left > 0) {
        left -= 1;
        await call(stage, target);
      }
    });
  });
  await Promise.all(loops);
}

async function post(
  { sandbox }: BenchStage,
  { accessToken }: Target,
  path: string,
  body: object,
): Promise<void> {
  const response = await fetch(sandbox.microsoftUrl + path, {
    method: 'POST',
    headers: { Authorization: `Bearer ${accessToken}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  const read = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${read}`);
}
