import { describe, expect, it } from 'vitest';
import { OwnWrites } from '../../src/connector/own-writes.ts';
import type { EventCancellation, EventChange, EventDraft, EventRecord } from '../../src/domain/event.ts';
import { fail, type Failure, ok, type Outcome } from '../../src/domain/failure.ts';
import type { Access } from '../../src/providers/provider.ts';
import { single } from './bench-mirror.ts';
import { createWorld, EVENT, START_MS } from './world.ts';

const DRAFT: EventDraft = {
  summary: 'Meeting',
  time: { kind: 'timed', startMs: START_MS, endMs: START_MS + 1, timeZone: 'UTC' },
  attendees: [],
  recurrence: [],
  notify: 'none',
  conference: false,
};
const CREATION = { key: 'k1', isRepeat: false };
const CHANGE: EventChange = { eventId: 'event-1', notify: 'none' };
const CANCELLATION: EventCancellation = { eventId: 'event-1', notify: 'none' };
const REMOVAL = { key: 'k1', notify: 'none' } as const;

function openWrites(lastEndedAtMs = 0, open: readonly string[] = []) {
  const world = createWorld();
  const { script, clock, provider } = world;
  const access: Access = {
    accessToken: 'access-1',
    account: { id: 'account-1', kind: 'work' },
    send: (request) => script.send(request),
    now: clock.now,
  };
  const writes = new OwnWrites({ now: clock.now, lastEndedAtMs: () => lastEndedAtMs, openTasks: () => open });
  const watched = writes.watch(provider);
  return {
    writes,
    script,
    clock,
    provider,
    watched,
    create: () => watched.createEvent(DRAFT, CREATION, access),
    update: () => watched.updateEvent(CHANGE, access),
    cancel: (over: Partial<EventCancellation> = {}) =>
      watched.cancelEvent({ ...CANCELLATION, ...over }, access),
    removeCreated: () => watched.removeCreated(REMOVAL, access),
  };
}

/** What a provider tells so soon after a write may not have it yet. */
const LAG_MS = 5_000;

const versionOf = (eventId: string, etag: string) => single(eventId, 0, { etag });

describe('what has been written', () => {
  it.each(['create', 'update', 'cancel', 'removeCreated'] as const)(
    'is not known to any mirror while a %s is under way, and then to one of five seconds later only',
    async (act) => {
      const { writes, script, clock, ...acts } = openWrites();
      let answer: () => void = () => {};
      const answered = new Promise<void>((resolve) => {
        answer = resolve;
      });
      script.createEvent = () => answered.then(() => ok(EVENT));
      script.updateEvent = () => answered.then(() => ok(EVENT));
      script.cancelEvent = () => answered.then(() => ok(undefined));
      script.removeCreated = () => answered.then(() => ok(undefined));
      const asOfMs = clock.now();
      expect(writes.areKnownAt(asOfMs)).toBe(true);
      const done = acts[act]();
      expect(writes.areKnownAt(asOfMs)).toBe(false);
      expect(writes.areKnownAt(Infinity)).toBe(false);
      await clock.advance(1_000);
      answer();
      await done;
      expect(writes.areKnownAt(asOfMs)).toBe(false);
      expect(writes.areKnownAt(clock.now() + LAG_MS)).toBe(false);
      expect(writes.areKnownAt(clock.now() + LAG_MS + 1)).toBe(true);
    },
  );

  it('is known to any later one when a reading has shown it', async () => {
    const { writes, clock, create, cancel } = openWrites();
    await create();
    const isKnown = () => [writes.areKnownAt(clock.now()), writes.areKnownAt(clock.now() + 1)];
    expect(writes.recognises(versionOf(EVENT.eventId, '"another"'))).toBe(false);
    expect(isKnown()).toEqual([false, false]);
    expect(writes.recognises(versionOf(EVENT.eventId, EVENT.etag))).toBe(true);
    expect(isKnown()).toEqual([false, true]);
    await cancel();
    expect(isKnown()).toEqual([false, false]);
    expect(writes.hasRemoved('event-1')).toBe(true);
    expect(isKnown()).toEqual([false, true]);
  });

  it('was certainly not, where the provider has refused it', async () => {
    const { writes, script, clock, create } = openWrites();
    script.createEvent = () => Promise.resolve(fail({ kind: 'rejected', status: 400, code: 'wrong' }));
    await create();
    expect([writes.areKnownAt(clock.now()), writes.areKnownAt(clock.now() + 1)]).toEqual([false, true]);
  });

  it('by tasks of a former life is known when they have come to their end in this one', () => {
    const open = ['t1', 't2'];
    const { writes } = openWrites(0, open);
    expect(writes.areKnownAt(START_MS)).toBe(false);
    open.splice(0, 1);
    // One that has come since is no reason: it is known when it writes.
    open.push('t3');
    expect(writes.areKnownAt(START_MS)).toBe(false);
    open.splice(0, 1);
    // It may have ended without a call in this life.
    expect([writes.areKnownAt(START_MS), writes.areKnownAt(START_MS + LAG_MS)]).toEqual([false, false]);
    expect(writes.areKnownAt(START_MS + LAG_MS + 1)).toBe(true);
    expect(writes.areKnownAt(START_MS)).toBe(false);
  });

  it('is not known to an earlier mirror because a later one knows of it', async () => {
    const { writes, clock, create } = openWrites();
    await create();
    const endedAtMs = clock.now();
    await clock.advance(LAG_MS + 1_000);
    expect(writes.areKnownAt(clock.now())).toBe(true);
    expect(writes.areKnownAt(endedAtMs + 1_000)).toBe(false);
    expect(writes.areKnownAt(endedAtMs + LAG_MS)).toBe(false);
    expect(writes.areKnownAt(endedAtMs + LAG_MS + 1)).toBe(true);
  });

  it('is not shown by the version before it', async () => {
    const { writes, script, clock, create, update, cancel } = openWrites();
    await create();
    script.updateEvent = () => Promise.resolve(fail({ kind: 'unavailable', ambiguous: true }));
    await update();
    const later = () => writes.areKnownAt(clock.now() + 1);
    expect(writes.recognises(versionOf(EVENT.eventId, EVENT.etag))).toBe(true);
    expect(later()).toBe(false);
    await cancel();
    expect(writes.recognises(versionOf(EVENT.eventId, EVENT.etag))).toBe(true);
    expect(later()).toBe(false);
    expect(writes.hasRemoved(EVENT.eventId)).toBe(true);
    expect(later()).toBe(true);
  });

  it('is worth another reading until one has missed it', async () => {
    const { writes, clock, create } = openWrites();
    expect(writes.arePending(clock.now())).toBe(false);
    await create();
    expect(writes.arePending(clock.now())).toBe(false);
    expect(writes.arePending(clock.now() + 1)).toBe(true);
    await clock.advance(LAG_MS + 1);
    expect(writes.arePending(clock.now() - LAG_MS)).toBe(false);
  });

  it('may have been carried out though it failed, and though it threw', async () => {
    const { writes, script, clock, create, update } = openWrites();
    script.createEvent = () => Promise.resolve(fail({ kind: 'unavailable', ambiguous: true }));
    await create();
    expect(writes.areKnownAt(clock.now())).toBe(false);
    await clock.advance(LAG_MS + 1);
    expect(writes.areKnownAt(clock.now())).toBe(true);
    script.updateEvent = () => Promise.reject(new Error('lost'));
    await expect(update()).rejects.toThrow('lost');
    const later = (ms: number) => writes.areKnownAt(clock.now() + ms);
    expect([later(0), later(LAG_MS), later(LAG_MS + 1)]).toEqual([false, false, true]);
  });

  it('is known when all of several writes have ended, not the first of them', async () => {
    const { writes, script, clock, update, create } = openWrites();
    const answers: ((outcome: Outcome<EventRecord>) => void)[] = [];
    const slowly = () =>
      new Promise<Outcome<EventRecord>>((resolve) => {
        answers.push(resolve);
      });
    script.createEvent = slowly;
    script.updateEvent = slowly;
    const both = [create(), update()] as const;
    answers[0]?.(ok(EVENT));
    await both[0];
    expect(writes.areKnownAt(Infinity)).toBe(false);
    answers[1]?.(ok(EVENT));
    await both[1];
    expect(writes.areKnownAt(clock.now() + LAG_MS + 1)).toBe(true);
  });

  it('before this life is what the ledger says', () => {
    const { writes } = openWrites(START_MS - 5);
    const knownAt = (ms: number) => writes.areKnownAt(START_MS - 5 + ms);
    // What it wrote last may not be told of at once.
    expect([knownAt(0), knownAt(LAG_MS), knownAt(LAG_MS + 1)]).toEqual([false, false, true]);
  });
});

describe('a version', () => {
  it('is recognised while it is the last one that was written, and no other', async () => {
    const { writes, script, create, update } = openWrites();
    expect(writes.recognises(versionOf('event-1', '"1"'))).toBe(false);
    await create();
    expect(writes.recognises(versionOf('event-1', '"1"'))).toBe(true);
    expect(writes.recognises(versionOf('event-1', '"2"'))).toBe(false);
    expect(writes.recognises(versionOf('event-2', '"1"'))).toBe(false);
    script.updateEvent = () => Promise.resolve(ok({ ...EVENT, etag: '"2"' }));
    await update();
    expect(writes.recognises(versionOf('event-1', '"1"'))).toBe(false);
    expect(writes.recognises(versionOf('event-1', '"2"'))).toBe(true);
  });

  it('is not recognised in an event that has none', async () => {
    const { writes, create } = openWrites();
    await create();
    expect(writes.recognises(single('event-1'))).toBe(false);
    const { details: _, ...bare } = single('event-1');
    expect(writes.recognises(bare)).toBe(false);
  });

  it('is not noted of a write that failed', async () => {
    const { writes, script, update } = openWrites();
    script.updateEvent = () => Promise.resolve(fail({ kind: 'changed', what: 'event' }));
    await update();
    expect(writes.recognises(versionOf('event-1', '"1"'))).toBe(false);
  });

  it('is remembered for the latest few hundred events', async () => {
    const { writes, script, update } = openWrites();
    for (let n = 0; n <= 500; n += 1) {
      script.updateEvent = () => Promise.resolve(ok({ ...EVENT, eventId: `event-${n}` }));
      // oxlint-disable-next-line no-await-in-loop
      await update();
    }
    const isKnown = (n: number) => writes.recognises(versionOf(`event-${n}`, EVENT.etag));
    expect([isKnown(0), isKnown(1), isKnown(500)]).toEqual([false, true, true]);
  });
});

describe('a removal', () => {
  it('is known from its begin, for it may be seen before it is answered', async () => {
    const { writes, script, cancel, removeCreated } = openWrites();
    const seen: boolean[] = [];
    script.cancelEvent = () => {
      seen.push(writes.hasRemoved('event-1'));
      return Promise.resolve(ok(undefined));
    };
    expect(writes.hasRemoved('event-1')).toBe(false);
    await cancel();
    await removeCreated();
    expect([...seen, writes.hasRemoved('event-1'), writes.hasRemoved('k1')]).toEqual([true, true, true]);
  });

  it('of one occurrence is not one of the series', async () => {
    const { writes, cancel } = openWrites();
    await cancel({ occurrence: { kind: 'timed', startMs: START_MS } });
    expect(writes.hasRemoved('event-1')).toBe(false);
  });

  it.each<[Failure, boolean]>([
    [{ kind: 'changed', what: 'event' }, false],
    [{ kind: 'throttled', scope: 'user' }, false],
    [{ kind: 'unavailable', ambiguous: false }, false],
    [{ kind: 'unavailable', ambiguous: true }, true],
    [{ kind: 'malformed', at: 'event' }, true],
  ])('that came to %o may have been carried out: %s', async (failure, isKnown) => {
    const { writes, script, cancel, removeCreated } = openWrites();
    script.cancelEvent = () => Promise.resolve(fail(failure));
    script.removeCreated = () => Promise.resolve(fail(failure));
    await cancel();
    await removeCreated();
    expect([writes.hasRemoved('event-1'), writes.hasRemoved('k1')]).toEqual([isKnown, isKnown]);
  });

  it('that may have been carried out stays so when it is tried again in vain', async () => {
    const { writes, script, cancel } = openWrites();
    script.cancelEvent = () => Promise.resolve(fail({ kind: 'unavailable', ambiguous: true }));
    await cancel();
    script.cancelEvent = () => Promise.resolve(fail({ kind: 'throttled', scope: 'user' }));
    await cancel();
    expect(writes.hasRemoved('event-1')).toBe(true);
  });
});

describe('a provider that is watched', () => {
  it('answers as it does', async () => {
    const { watched, provider, script, create, update, cancel } = openWrites();
    expect(watched.name).toBe(provider.name);
    expect(watched.sync).toBe(provider.sync);
    expect(await create()).toEqual(ok(EVENT));
    const refused = fail({ kind: 'not-found', what: 'event' });
    script.updateEvent = () => Promise.resolve(refused);
    script.cancelEvent = () => Promise.resolve(refused);
    expect([await update(), await cancel()]).toEqual([refused, refused]);
  });
});
