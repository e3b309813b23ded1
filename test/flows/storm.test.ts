import { expect, it } from 'vitest';
import { connect } from '../local/connect.ts';
import { dice } from '../sandbox/dice.ts';
import type { FaultEffect } from '../sandbox/faults.ts';
import { ACCOUNTS, openStage } from './stage.ts';

const stage = openStage();

const CONNECTORS = 20;
const TASKS_EACH = 50;
const MOST_CALLS = 150;

/** Every way in which a call can go wrong that ends by itself. */
const FAULTS: FaultEffect[] = [
  { kind: 'reply-lost' },
  { kind: 'reset' },
  { kind: 'status', status: 503 },
  { kind: 'status-after', status: 500 },
  { kind: 'malformed' },
  { kind: 'throttle', retryAfter: 1, holdMs: 1_000 },
];

it(
  'bookings that are all delivered twice, while a fifth of the calls fails, are each one event',
  { timeout: 240_000 },
  async () => {
    const chance = dice(20_261_122);
    const pick = (sides: number) => Math.floor(chance.roll() * sides);
    const messages: { id: string; body: object }[] = [];
    const emails: string[] = [];
    for (let n = 0; n < CONNECTORS; n += 1) {
      const person = stage.person(ACCOUNTS[n % ACCOUNTS.length]?.input);
      const connectorId = await connect(stage.runtime, person);
      emails.push(person.email);
      for (let call = 0; call < MOST_CALLS; call += 1) {
        const effect = FAULTS[pick(FAULTS.length * 5)];
        if (effect !== undefined) stage.sandbox.faults.add({ person: person.email, after: call, effect });
      }
      for (let hour = 0; hour < TASKS_EACH; hour += 1) {
        const start = new Date(Date.UTC(2026, 10, 23, hour)).toISOString();
        const end = new Date(Date.UTC(2026, 10, 23, hour, 30)).toISOString();
        const id = crypto.randomUUID();
        const payload = { summary: `Booking ${hour}`, start, end, timeZone: 'UTC' };
        messages.push({ id, body: { id, type: 'create-event', connectorId, payload } });
      }
    }
    const deliveries = chance.shuffle([...messages, ...messages]);
    for (let from = 0; from < deliveries.length; from += 100) {
      await stage.runtime.bindings.Q_TASKS.sendBatch(
        deliveries.slice(from, from + 100).map(({ body }) => ({ body })),
      );
    }

    const ends = await Promise.all(
      messages.map(({ id }) => stage.runtime.notice(({ taskId }) => taskId === id)),
    );
    expect(ends.filter(({ type }) => type !== 'task-completed')).toEqual([]);
    const created = stage.sandbox.truth.effects.filter(
      ({ deed, person }) => deed === 'created' && emails.includes(person),
    );
    expect(created).toHaveLength(messages.length);
    expect(new Set(created.map(({ key }) => key)).size).toBe(messages.length);
    const { ok, problems } = stage.sandbox.truth.verdict();
    expect({ ok, problems }).toEqual({ ok: true, problems: [] });
    const faulty = stage.sandbox.truth.calls.filter(({ faults = [] }) => faults.length > 0);
    expect(faulty.length, 'the storm was one').toBeGreaterThan(messages.length / 10);
  },
);
