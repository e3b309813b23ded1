import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { connect } from '../local/connect.ts';
import type { Person } from '../sandbox/people.ts';
import { ACCOUNTS, openStage } from './stage.ts';

const stage = openStage();

const SLOT = { start: '2026-11-24T09:00:00', end: '2026-11-24T10:00:00', timeZone: 'Europe/Berlin' };
const TIME = { start: '2026-11-24T09:00:00+01:00', end: '2026-11-24T10:00:00+01:00' };

const groupSchema = z.object({
  state: z.string(),
  slots: z.array(z.object({ connectorId: z.string(), state: z.string(), eventId: z.string().optional() })),
});

/** One person of each kind of account, connected. */
async function newPeople() {
  const people: { person: Person; connectorId: string }[] = [];
  for (const { input } of ACCOUNTS) {
    const person = stage.person(input);
    people.push({ person, connectorId: await connect(stage.runtime, person) });
  }
  return { people, slots: people.map(({ connectorId }) => ({ connectorId })) };
}

function place(body: object) {
  return stage.runtime.api('POST', '/v1/holds', body);
}

function standing({ person }: { person: Person }) {
  return [...(person.calendar('primary')?.calendar.events.values() ?? [])].filter(
    ({ status }) => status !== 'cancelled',
  );
}

describe('a hold over several people', () => {
  it('is on every calendar, then the event on every calendar, its guests told once', async () => {
    const { people, slots } = await newPeople();
    const holdId = crypto.randomUUID();
    const held = await place({ holdId, slots, ...SLOT });
    expect(held).toMatchObject({ status: 201, json: { holdId, state: 'held', ...TIME } });
    expect(groupSchema.parse(held.json).slots.map(({ state }) => state)).toEqual(['held', 'held', 'held']);
    for (const one of people) expect(standing(one)).toMatchObject([{ isPrivate: true, showAs: 'tentative' }]);
    expect(await place({ holdId, slots, ...SLOT })).toMatchObject({ status: 200, json: { state: 'held' } });

    const wish = { summary: 'Planning', attendees: [{ email: 'guest@example.com' }] };
    const confirmed = await stage.runtime.api('POST', `/v1/holds/${holdId}/confirm`, wish);
    expect(confirmed).toMatchObject({ status: 200, json: { holdId, state: 'confirmed' } });
    for (const one of people)
      expect(standing(one)).toMatchObject([{ summary: 'Planning', isPrivate: false }]);
    const emails = people.map(({ person }) => person.email);
    const mails = stage.sandbox.truth.effects
      .filter(({ person }) => emails.includes(person))
      .reduce((sum, effect) => sum + effect.mails, 0);
    expect(mails).toBe(1);
    expect(await stage.runtime.api('GET', `/v1/holds/${holdId}`)).toMatchObject({
      status: 200,
      json: { state: 'confirmed' },
    });
    expect(await stage.runtime.api('DELETE', `/v1/holds/${holdId}`)).toMatchObject({
      status: 409,
      json: { code: 'conflict' },
    });
  });

  it.each([0, 1, 2])('is on none when person %i has no time', async (index) => {
    const { people, slots } = await newPeople();
    const busy = people[index];
    busy?.person.addEvent('primary', {
      summary: 'Review',
      start: '2026-11-24T09:15',
      end: '2026-11-24T09:45',
    });
    const refused = await place({ holdId: crypto.randomUUID(), slots, ...SLOT });
    expect(refused).toMatchObject({
      status: 409,
      json: {
        code: 'conflict',
        conflicts: [
          {
            connectorId: busy?.connectorId,
            start: '2026-11-24T09:15:00+01:00',
            end: '2026-11-24T09:45:00+01:00',
          },
        ],
      },
    });
    for (const one of people) expect(standing(one)).toHaveLength(one === busy ? 1 : 0);
  });

  it('is won by one of those who want the same people at once', async () => {
    const { people, slots } = await newPeople();
    const answers = await Promise.all(
      [slots, slots.toReversed(), slots].map((order) =>
        place({ holdId: crypto.randomUUID(), slots: order, ...SLOT }),
      ),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409, 409]);
    for (const one of people) expect(standing(one)).toHaveLength(1);
  });

  it('is let go everywhere, though a provider loses replies and fails on the way', async () => {
    const { people, slots } = await newPeople();
    for (const { person } of people) {
      for (const after of [1, 3]) {
        stage.sandbox.faults.add({ person: person.email, after, effect: { kind: 'reply-lost' } });
      }
      stage.sandbox.faults.add({ person: person.email, after: 5, effect: { kind: 'status', status: 503 } });
    }
    const holdId = crypto.randomUUID();
    await place({ holdId, slots, ...SLOT });
    const stateOf = async () =>
      groupSchema.parse((await stage.runtime.api('GET', `/v1/holds/${holdId}`)).json).state;
    await expect.poll(stateOf, { timeout: 20_000 }).toBe('held');
    await stage.runtime.api('DELETE', `/v1/holds/${holdId}`);
    await expect.poll(stateOf, { timeout: 20_000 }).toBe('cancelled');
    for (const one of people) expect(standing(one)).toEqual([]);
  });

  it('that is not well asked for is refused by the field, and nothing is written', async () => {
    const { people, slots } = await newPeople();
    const holdId = crypto.randomUUID();
    for (const [path, wrong] of [
      ['slots', { slots: [] }],
      ['slots', { slots: [slots[0], slots[0]] }],
      ['slots.0.connectorId', { slots: [{ connectorId: 'a b' }] }],
      ['slots.0.colour', { slots: [{ ...slots[0], colour: 'red' }] }],
      ['end', { end: SLOT.start }],
      ['holdId', { holdId: '' }],
    ] as const) {
      const answer = await place({ holdId, slots, ...SLOT, ...wrong });
      expect(answer, path).toMatchObject({ status: 400, json: { errors: [{ path }] } });
    }
    const stranger = await place({
      holdId,
      slots: [...slots, { connectorId: crypto.randomUUID() }],
      ...SLOT,
    });
    expect(stranger.status).toBe(404);
    expect(await stage.runtime.api('GET', `/v1/holds/${holdId}`)).toMatchObject({ status: 404 });
    expect(await stage.runtime.api('POST', `/v1/holds/${holdId}/confirm`, { summary: 'x' })).toMatchObject({
      status: 404,
    });
    for (const one of people) expect(standing(one)).toEqual([]);
  });
});
