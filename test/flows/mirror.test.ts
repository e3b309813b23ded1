import { describe, expect, it } from 'vitest';
import { connect } from '../local/connect.ts';
import { REACHABLE } from '../local/runtime.ts';
import type { Person } from '../sandbox/people.ts';
import { askBusy, compare, hourOn, sync } from './mirrored.ts';
import { ACCOUNTS, openStage } from './stage.ts';

const stage = openStage({ PUBLIC_BASE_URL: REACHABLE });

/** A person with something in their calendar, whose mirror is filled. */
async function withMirror(input: Parameters<typeof stage.person>[0], events = 3) {
  const person = stage.person(input);
  for (let day = 1; day <= events; day += 1)
    person.addEvent('primary', { summary: `Day ${day}`, ...hourOn(day, 9) });
  const connectorId = await connect(stage.runtime, person);
  await sync(stage, connectorId);
  return { person, connectorId };
}

function callsOf(person: Person, operation: string) {
  return stage.sandbox.truth.calls.filter(
    (call) => call.person === person.email && call.operation === operation,
  );
}

const noticesOf = (connectorId: string) =>
  stage.runtime.notices.filter(
    (notice) => notice.connectorId === connectorId && notice.type === 'calendar-changed',
  );

describe.each(ACCOUNTS)('a calendar of $label', ({ input }) => {
  it('is answered from the mirror as it is live, whatever has been done to it', async () => {
    const person = stage.person({
      ...input,
      calendars: [{ name: 'Own', primary: true }, { name: 'Second' }],
    });
    const connectorId = await connect(stage.runtime, person);
    for (const seed of [101, 102, 103, 104]) {
      stage.sandbox.churn(person, { seed, edits: 30 });
      await sync(stage, connectorId);
      const { mirror, live, sources } = await compare(stage, connectorId);
      expect(sources).toEqual(['mirror', 'live']);
      expect(mirror).toEqual(live);
    }
  });

  it('whose cursor has expired is read anew: what is gone is gone, and it is told', async () => {
    const { person, connectorId } = await withMirror(input);
    const [first] = person.calendar('primary')?.calendar.events.keys() ?? [];
    stage.sandbox.expireSyncTokens(person);
    person.removeEvent('primary', first ?? '');
    person.addEvent('primary', { summary: 'New', ...hourOn(5, 12) });
    await sync(stage, connectorId);
    const { mirror, live, sources } = await compare(stage, connectorId);
    expect(sources).toEqual(['mirror', 'live']);
    expect(mirror).toEqual(live);
    expect(mirror.busy).toHaveLength(3);
    const lines = stage.runtime.logs().filter((line) => line.includes(connectorId));
    expect(lines.filter((line) => line.includes('"outcome":"cursor-expired"'))).toHaveLength(1);
    expect(noticesOf(connectorId)).toMatchObject([{ result: { changed: 1, removed: 1 } }]);
  });

  it('that comes out empty is not believed at once, and not free meanwhile', async () => {
    const { person, connectorId } = await withMirror(input);
    stage.sandbox.expireSyncTokens(person);
    const operation = person.provider === 'google' ? 'google.events.list' : 'graph.calendarView.delta';
    // The first is the one that fails for its cursor.
    stage.sandbox.faults.add({
      person: person.email,
      operation,
      after: 1,
      times: 1,
      effect: { kind: 'hollow' },
    });
    const synced = sync(stage, connectorId);
    await expect
      .poll(
        () => stage.runtime.logs().some((line) => line.includes(connectorId) && line.includes('doubted')),
        {
          timeout: 10_000,
        },
      )
      .toBe(true);
    const meanwhile = await askBusy(stage, connectorId);
    expect(meanwhile.busy).toHaveLength(3);
    await synced;
    const { mirror, live, sources } = await compare(stage, connectorId);
    expect(sources).toEqual(['mirror', 'live']);
    expect(mirror).toEqual(live);
    expect(mirror.busy).toHaveLength(3);
  });

  it('that is empty indeed is believed when it has said so twice', async () => {
    const { person, connectorId } = await withMirror(input);
    stage.sandbox.expireSyncTokens(person);
    for (const id of person.calendar('primary')?.calendar.events.keys() ?? [])
      person.removeEvent('primary', id);
    await sync(stage, connectorId);
    const { mirror, sources } = await compare(stage, connectorId);
    expect(sources).toEqual(['mirror', 'live']);
    expect(mirror.busy).toEqual([]);
  });

  it('loses a series with all its occurrences, and of another only the one that was moved or cancelled', async () => {
    const { person, connectorId } = await withMirror(input, 0);
    const daily = (hour: number) =>
      person.addEvent('primary', {
        summary: `At ${hour}`,
        ...hourOn(1, hour),
        repeats: { frequency: 'daily', times: 10 },
      });
    const [gone, kept] = [daily(9), daily(14)];
    await sync(stage, connectorId);
    expect((await askBusy(stage, connectorId)).busy).toHaveLength(20);
    person.removeEvent('primary', gone.id);
    person.cancelOccurrence('primary', kept.id, hourOn(3, 14).start);
    person.moveOccurrence('primary', kept.id, hourOn(5, 14).start, hourOn(5, 17));
    await sync(stage, connectorId);
    const { mirror, live } = await compare(stage, connectorId);
    expect(mirror).toEqual(live);
    expect(mirror.busy).toHaveLength(9);
    expect(mirror.busy.some(({ start }) => start.startsWith(hourOn(5, 17).start))).toBe(true);
  });

  it('is read to its last page', async () => {
    const { person, connectorId } = await withMirror(input, 0);
    for (let index = 0; index < 620; index += 1)
      person.addEvent('primary', {
        summary: `E${index}`,
        ...hourOn(1 + (index % 150), 6 + 3 * Math.floor(index / 150)),
      });
    await sync(stage, connectorId);
    const { mirror, live, sources } = await compare(stage, connectorId);
    expect(sources).toEqual(['mirror', 'live']);
    expect(mirror).toEqual(live);
    expect(mirror.busy).toHaveLength(620);
  });

  it('knows at once what was booked, and tells nobody of what they have done themselves', async () => {
    const { connectorId, person } = await withMirror(input);
    const booked = await stage.runtime.api('POST', `/v1/connectors/${connectorId}/events`, {
      summary: 'Booked',
      ...hourOn(7, 10),
      timeZone: 'Europe/Berlin',
    });
    expect(booked.status).toBe(201);
    const { eventId, start, end } = Object(booked.json);
    const range = new URLSearchParams({ timeMin: start, timeMax: end });
    const shown = await stage.runtime.api('GET', `/v1/connectors/${connectorId}/events?${range.toString()}`);
    expect(Object(shown.json).events).toEqual([expect.objectContaining({ eventId, summary: 'Booked' })]);
    const after = await askBusy(stage, connectorId);
    expect(after.busy).toHaveLength(4);
    await sync(stage, connectorId);
    const listed = await stage.runtime.api('GET', `/v1/connectors/${connectorId}/changes`);
    // Under the id that it was booked under: ids stay what they are.
    expect(Object(listed.json).changes).toContainEqual(
      expect.objectContaining({ eventId, summary: 'Booked' }),
    );
    expect(noticesOf(connectorId)).toEqual([]);
    person.changeEvent('primary', [...(person.calendar('primary')?.calendar.events.keys() ?? [])][0] ?? '', {
      summary: 'Renamed',
    });
    await expect.poll(() => noticesOf(connectorId).length, { timeout: 10_000 }).toBeGreaterThan(0);
  });

  it('that changes is told of, is not believed to be as it was, and says how old it is', async () => {
    const { person, connectorId } = await withMirror(input);
    // The channel is opened a moment after the first run.
    await expect
      .poll(() => stage.runtime.logs().length > 0 && channelsOf(person) > 0, { timeout: 10_000 })
      .toBe(true);
    const calls = stage.sandbox.truth.calls.length;
    for (let day = 10; day < 16; day += 1)
      person.addEvent('primary', { summary: 'Pushed', ...hourOn(day, 9) });
    await stage.sandbox.pushes.settle();
    await expect.poll(() => noticesOf(connectorId).length, { timeout: 10_000 }).toBeGreaterThan(0);
    const answer = await askBusy(stage, connectorId);
    expect(answer.busy).toHaveLength(9);
    expect(Date.parse(answer.freshness.asOf)).toBeGreaterThan(Date.now() - 60_000);
    // However many notifications there were, few runs followed.
    const reads = stage.sandbox.truth.calls
      .slice(calls)
      .filter(({ person: who, operation }) => who === person.email && /list|delta/.test(operation));
    expect(reads.length).toBeLessThanOrEqual(5);
  });

  it('has its channel closed when its account is disconnected', async () => {
    const { person, connectorId } = await withMirror(input);
    await expect.poll(() => channelsOf(person), { timeout: 10_000 }).toBe(1);
    expect((await stage.runtime.api('DELETE', `/v1/connectors/${connectorId}`)).status).toBeLessThan(300);
    await expect.poll(() => channelsOf(person), { timeout: 10_000 }).toBe(0);
    const rows = await stage.runtime.bindings.DB.prepare('SELECT * FROM sync_state WHERE connector_id = ?')
      .bind(connectorId)
      .all();
    expect(rows.results).toEqual([]);
  });
});

/** How many channels or subscriptions a person's calendars have at the provider. */
function channelsOf(person: Person): number {
  if (person.provider === 'google') return stage.sandbox.channels(person).length;
  const opened = callsOf(person, 'graph.subscriptions.create').filter(({ status }) => status === 201);
  const closed = callsOf(person, 'graph.subscriptions.delete').filter(({ status }) => status === 204);
  return opened.length - closed.length;
}
