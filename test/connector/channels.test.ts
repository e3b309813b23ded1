import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Channels } from '../../src/connector/channels.ts';
import type { Failure } from '../../src/domain/failure.ts';
import { inFreshObject } from './bench.ts';
import {
  createSyncDouble,
  DOWN,
  HUNG,
  LIFE_MS,
  MINUTE_MS,
  openChannels,
  REVOKED,
  SILENT,
  type SyncDouble,
} from './bench-upkeep.ts';
import { createWorld, DAY_MS, HOUR_MS, settle, START_MS, type World } from './world.ts';

const REFUSED = { kind: 'unsupported', field: 'watch', detail: 'none of this calendar' } as const;

function withChannels(
  body: (channels: Channels, double: SyncDouble, world: World, state: DurableObjectState) => Promise<void>,
  how: { renews?: boolean } = {},
) {
  return inFreshObject(async (state) => {
    const world = createWorld();
    const double = createSyncDouble(world, how);
    await body(openChannels(state, world, double), double, world, state);
  });
}

const rowsOf = ({ storage }: DurableObjectState) =>
  storage.sql.exec<{ calendar_id: string; state: string; secret: string }>('SELECT * FROM channel').toArray();
const statesOf = (state: DurableObjectState) =>
  rowsOf(state)
    .map((row) => row.state)
    .toSorted();

/** The one channel of a calendar that lives at the provider. */
function onlyOne(double: SyncDouble, calendarId = 'ada') {
  const living = double.living(calendarId);
  expect(living).toHaveLength(1);
  const [one] = living;
  if (one === undefined) throw new Error('no channel lives');
  return one;
}

/** The life of `channels` ends while the provider opens one: what it was answered is not known. */
async function endInOpening(channels: Channels, double: SyncDouble, calendars = ['ada']) {
  const { weather } = double;
  double.weather = (call) => (call === 'watch' ? HUNG : undefined);
  void channels.tend(calendars);
  await settle();
  double.weather = weather;
}

/** A channel of `ada` that a reading has found silent. */
async function goSilent(channels: Channels, double: SyncDouble) {
  await channels.tend(['ada']);
  channels.suspect('ada');
  return onlyOne(double);
}

describe('a channel that is opened', () => {
  it('is known by its secret before the provider is asked for it', () =>
    withChannels(async (channels, double, _, state) => {
      const known: string[] = [];
      double.before = async () => void known.push(...rowsOf(state).map(({ secret }) => secret));
      await channels.tend(['ada']);
      expect(known).toEqual([onlyOne(double).secret]);
    }));

  it('may say hello before the answer to its opening is here', () =>
    withChannels(async (channels, double) => {
      let heard: unknown;
      double.after = () => {
        heard = channels.hear(double.say(onlyOne(double), 'hello'));
      };
      await channels.tend(['ada']);
      expect(heard).toEqual({ calendarId: 'ada', mayHaveChanged: false });
      expect(channels.areHealthy(['ada'])).toBe(true);
    }));

  it('may tell of a change before the answer to its opening is here', () =>
    withChannels(async (channels, double) => {
      let heard: unknown;
      double.after = () => {
        heard = channels.hear(double.say(onlyOne(double), 'changed'));
      };
      await channels.tend(['ada']);
      expect(heard).toEqual({ calendarId: 'ada', mayHaveChanged: true });
      expect(double.living()).toHaveLength(1);
    }));

  it('has a secret of 43 letters and digits that no other has', () =>
    withChannels(async (channels, double) => {
      const calendars = Array.from({ length: 20 }, (_, index) => `calendar-${index}`);
      await channels.tend(calendars);
      const secrets = double.living().map(({ secret }) => secret);
      expect(new Set(secrets).size).toBe(20);
      for (const secret of secrets) expect(secret).toMatch(/^[A-Za-z0-9]{43}$/);
    }));

  it('is one for each calendar, and asking again opens no other', () =>
    withChannels(async (channels, double) => {
      expect(channels.cover(['ada', 'bob'])).toBe(false);
      await channels.tend(['ada', 'bob']);
      await channels.tend(['ada', 'bob']);
      expect(channels.cover(['ada', 'bob'])).toBe(true);
      expect(double.living().map(({ calendarId }) => calendarId)).toEqual(['ada', 'bob']);
    }));

  it('is one, though two see to it at once', () =>
    withChannels(async (channels, double) => {
      double.before = () => settle();
      await Promise.all([channels.tend(['ada', 'bob']), channels.tend(['ada', 'bob'])]);
      expect(double.calls).toEqual(['watch ada', 'watch bob']);
    }));

  it('waits behind whatever somebody waits for', () =>
    withChannels(async (channels, double) => {
      await channels.tend(['ada']);
      expect(double.lanes).toEqual(['upkeep']);
    }));

  it('lasts a minute before it is renewed, however short its life', () =>
    withChannels(async (channels, double, { clock }) => {
      double.lifeMs = -HOUR_MS;
      await channels.tend(['ada']);
      expect(channels.nextDueAt()).toBe(clock.now() + MINUTE_MS);
    }));
});

describe('a notification', () => {
  it('without the secret of a channel is nothing', () =>
    withChannels(async (channels, double, _, state) => {
      await channels.tend(['ada']);
      const before = rowsOf(state);
      const word = double.say(onlyOne(double), 'ended');
      expect(channels.hear({ ...word, secret: 'guess' })).toBeUndefined();
      expect(channels.hear({ ...word, secret: '' })).toBeUndefined();
      expect(rowsOf(state)).toEqual(before);
    }));

  it('that comes again, or after a later one, says nothing new', () =>
    withChannels(async (channels, double, world, state) => {
      await channels.tend(['ada']);
      const say = (kind: 'hello' | 'changed', number: number) => ({
        ...double.say(onlyOne(double), kind),
        number,
      });
      const heard = [
        say('hello', 1),
        say('changed', 7),
        say('changed', 7),
        say('changed', 5),
        say('changed', 8),
      ].map((word) => channels.hear(word)?.mayHaveChanged);
      expect(heard).toEqual([false, true, undefined, undefined, true]);
      // The next life does not know what this one has heard.
      expect(openChannels(state, world, double).hear(say('changed', 8))?.mayHaveChanged).toBe(true);
    }));

  it('that names another channel, or another resource, is nothing', () =>
    withChannels(async (channels, double, _, state) => {
      await channels.tend(['ada']);
      const before = rowsOf(state);
      const word = double.say(onlyOne(double), 'ended');
      expect(channels.hear({ ...word, watchId: 'another' })).toBeUndefined();
      expect(channels.hear({ ...word, resourceId: 'another' })).toBeUndefined();
      expect(rowsOf(state)).toEqual(before);
    }));

  it.each(['changed', 'missed', 'renew', 'ended'] as const)('`%s` tells which calendar to read', (kind) =>
    withChannels(async (channels, double) => {
      await channels.tend(['ada']);
      const word = double.say(onlyOne(double), kind);
      expect(channels.hear(word)).toEqual({ calendarId: 'ada', mayHaveChanged: true });
    }),
  );

  it('that asks for a renewal makes it due', () =>
    withChannels(
      async (channels, double, { clock }) => {
        await channels.tend(['ada']);
        await clock.advance(HOUR_MS);
        channels.hear(double.say(onlyOne(double), 'renew'));
        expect(channels.nextDueAt()).toBe(clock.now());
        await channels.tend(['ada']);
        expect(onlyOne(double).expiresAtMs).toBe(clock.now() + LIFE_MS);
      },
      { renews: true },
    ));

  it('that its channel has ended leaves the calendar without one', () =>
    withChannels(async (channels, double) => {
      await channels.tend(['ada']);
      const ended = onlyOne(double);
      channels.hear(double.say(ended, 'ended'));
      double.drop(ended.watchId);
      expect(channels.cover(['ada'])).toBe(false);
      await channels.tend(['ada']);
      expect(onlyOne(double).watchId).not.toBe(ended.watchId);
      expect(double.countOf('stop')).toBe(0);
    }));

  it('that its channel has ended is believed of one that is being renewed', () =>
    withChannels(
      async (channels, double, { clock }) => {
        await channels.tend(['ada']);
        await clock.advance(LIFE_MS * 0.85);
        double.after = () => void channels.hear(double.say(onlyOne(double), 'ended'));
        await channels.tend(['ada']);
        expect(channels.cover(['ada'])).toBe(false);
      },
      { renews: true },
    ));
});

describe('a channel that has gone silent where there can be no second one', () => {
  it('goes first, and another takes its place', () =>
    withChannels(
      async (channels, double, { clock }) => {
        await goSilent(channels, double);
        const before = onlyOne(double).watchId;
        double.weather = (call) =>
          call === 'watch' && double.living('ada').length > 0
            ? { kind: 'rejected', status: 409, code: 'ExtensionError' }
            : undefined;
        await clock.advance(HOUR_MS);
        await channels.tend(['ada']);
        expect(onlyOne(double).watchId).not.toBe(before);
        expect(channels.cover(['ada'])).toBe(true);
      },
      { renews: true },
    ));
});

describe('a channel that comes to its end', () => {
  it('is not renewed but replaced where it would go on to call an address that is no longer ours', () =>
    withChannels(
      async (channels, double, world, state) => {
        await channels.tend(['ada']);
        const before = onlyOne(double);
        await world.clock.advance(LIFE_MS * 0.85);
        const another = openChannels(state, world, double, 'ref-by-another-key');
        await another.tend(['ada']);
        const after = onlyOne(double);
        expect(after.watchId).not.toBe(before.watchId);
        expect(after.address).toBe('https://calendar.example.com/webhooks/google/ref-by-another-key');
      },
      { renews: true },
    ));

  it.each([true, false])('is renewed when about a fifth of its life is left (renews: %s)', (renews) =>
    withChannels(
      async (channels, double) => {
        await channels.tend(['ada']);
        const leftMs = onlyOne(double).expiresAtMs - (channels.nextDueAt() ?? 0);
        expect(leftMs).toBeGreaterThanOrEqual(LIFE_MS * 0.2);
        expect(leftMs).toBeLessThanOrEqual(LIFE_MS * 0.3);
      },
      { renews },
    ),
  );

  it('is renewed in a fifth of the life that it got, where that is shorter than was asked for', () =>
    withChannels(async (channels, double, { clock }) => {
      double.lifeMs = HOUR_MS;
      await channels.tend(['ada']);
      const leftMs = clock.now() + HOUR_MS - (channels.nextDueAt() ?? 0);
      expect(leftMs).toBeGreaterThanOrEqual(HOUR_MS * 0.2);
      expect(leftMs).toBeLessThanOrEqual(HOUR_MS * 0.3);
    }));

  it('is not renewed together with all that were opened with it', () =>
    withChannels(async (channels, _, __, state) => {
      await channels.tend(Array.from({ length: 20 }, (_entry, index) => `calendar-${index}`));
      const dues = state.storage.sql.exec<{ due_at: number }>('SELECT due_at FROM channel').toArray();
      const times = dues.map(({ due_at: dueAt }) => dueAt);
      expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(LIFE_MS * 0.03);
    }));

  it('gets a longer life where the provider gives one', () =>
    withChannels(
      async (channels, double, { clock }) => {
        await channels.tend(['ada']);
        const { watchId } = onlyOne(double);
        await clock.advance((channels.nextDueAt() ?? 0) - clock.now());
        expect(await channels.tend(['ada'])).toBeUndefined();
        expect(onlyOne(double)).toMatchObject({ watchId, expiresAtMs: clock.now() + LIFE_MS });
        expect(channels.nextDueAt()).toBeGreaterThan(clock.now() + LIFE_MS * 0.69);
        expect(double.calls).toEqual(['watch ada', 'renew ada']);
      },
      { renews: true },
    ));

  it('gets none before it is due', () =>
    withChannels(
      async (channels, double, { clock }) => {
        await channels.tend(['ada']);
        await clock.advance((channels.nextDueAt() ?? 0) - clock.now() - 1);
        await channels.tend(['ada']);
        expect(double.calls).toEqual(['watch ada']);
      },
      { renews: true },
    ));

  it.each([
    ['is gone', { kind: 'not-found', what: 'watch' }],
    ['is refused a longer life', { kind: 'rejected', status: 400, code: 'ExtensionError' }],
  ] as const)('is replaced where it %s', (_name, failure) =>
    withChannels(
      async (channels, double, { clock }) => {
        await channels.tend(['ada']);
        const { watchId } = onlyOne(double);
        await clock.advance(LIFE_MS * 0.85);
        double.weather = (call) => (call === 'renew' ? failure : undefined);
        expect(await channels.tend(['ada'])).toBeUndefined();
        expect(onlyOne(double).watchId).not.toBe(watchId);
        expect(channels.areHealthy(['ada'])).toBe(true);
      },
      { renews: true },
    ),
  );

  it('is followed by a new one before it is closed, where there is no renewing', () =>
    withChannels(async (channels, double, { clock }) => {
      await channels.tend(['ada']);
      const lives: number[] = [];
      double.before = async () => void lives.push(double.living('ada').length);
      for (let day = 0; day < 60; day += 1) {
        // oxlint-disable-next-line no-await-in-loop
        await clock.advance(DAY_MS / 2);
        // oxlint-disable-next-line no-await-in-loop
        await channels.tend(['ada']);
        expect(double.living('ada')).toHaveLength(1);
      }
      expect(lives.length).toBeGreaterThanOrEqual(8);
      // Before each opening one, before each closing two.
      expect(new Set(lives)).toEqual(new Set([1, 2]));
      expect(double.countOf('stop')).toBe(double.countOf('watch') - 1);
    }));

  it('is kept where there is no other to be had, and asked about a day later', () =>
    withChannels(async (channels, double, { clock }) => {
      await channels.tend(['ada']);
      const { watchId } = onlyOne(double);
      await clock.advance(LIFE_MS * 0.81);
      double.weather = (call) => (call === 'watch' ? REFUSED : undefined);
      expect(await channels.tend(['ada'])).toBeUndefined();
      expect(onlyOne(double).watchId).toBe(watchId);
      expect(channels.areHealthy(['ada'])).toBe(true);
      expect(channels.nextDueAt()).toBe(clock.now() + DAY_MS);
      await clock.advance(LIFE_MS);
      await channels.tend(['ada']);
      expect(channels.areHealthy(['ada'])).toBe(false);
      expect(channels.cover(['ada'])).toBe(true);
    }));

  it.each([true, false])('is still due when renewing it has failed (renews: %s)', (renews) =>
    withChannels(
      async (channels, double, { clock }) => {
        await channels.tend(['ada']);
        const { watchId } = onlyOne(double);
        await clock.advance(LIFE_MS * 0.85);
        double.weather = () => DOWN;
        expect(await channels.tend(['ada'])).toEqual(DOWN);
        expect(onlyOne(double).watchId).toBe(watchId);
        expect(channels.nextDueAt()).toBeLessThanOrEqual(clock.now());
        expect(channels.areHealthy(['ada'])).toBe(true);
        double.weather = () => undefined;
        expect(await channels.tend(['ada'])).toBeUndefined();
        expect(channels.nextDueAt()).toBeGreaterThan(clock.now());
      },
      { renews },
    ),
  );

  it('is not closed while the new one could not be opened', () =>
    withChannels(async (channels, double, { clock }) => {
      await channels.tend(['ada']);
      await clock.advance(LIFE_MS * 0.85);
      double.weather = (call) => (call === 'watch' ? DOWN : undefined);
      await channels.tend(['ada']);
      expect(double.countOf('stop')).toBe(0);
    }));
});

describe('a channel that has been replaced', () => {
  /** The new one stands, and the old one could not be closed. */
  async function replaceHalf(channels: Channels, double: SyncDouble, { clock }: World) {
    await channels.tend(['ada']);
    const old = onlyOne(double);
    await clock.advance(LIFE_MS * 0.85);
    double.weather = (call) => (call === 'stop' ? DOWN : undefined);
    expect(await channels.tend(['ada'])).toEqual(DOWN);
    double.weather = () => undefined;
    return old;
  }

  it('is closed later where it could not be closed at once', () =>
    withChannels(async (channels, double, world) => {
      const old = await replaceHalf(channels, double, world);
      expect(double.living()).toHaveLength(2);
      expect(channels.nextDueAt()).toBeLessThanOrEqual(world.clock.now());
      expect(await channels.tend(['ada'])).toBeUndefined();
      expect(onlyOne(double).watchId).not.toBe(old.watchId);
    }));

  it('is not listened to any more, and closed', () =>
    withChannels(async (channels, double, world) => {
      const old = await replaceHalf(channels, double, world);
      expect(channels.hear(double.say(old, 'changed'))).toBeUndefined();
      await channels.tend(['ada']);
      expect(onlyOne(double).watchId).not.toBe(old.watchId);
      expect(channels.areHealthy(['ada'])).toBe(true);
    }));

  it('is forgotten when it says that it has ended', () =>
    withChannels(async (channels, double, world, state) => {
      const old = await replaceHalf(channels, double, world);
      expect(channels.hear(double.say(old, 'ended'))).toBeUndefined();
      expect(statesOf(state)).toEqual(['open']);
    }));

  it('is forgotten without a call once its life is over', () =>
    withChannels(async (channels, double, world, state) => {
      await replaceHalf(channels, double, world);
      await world.clock.advance(LIFE_MS * 0.16);
      double.calls.length = 0;
      await channels.tend(['ada']);
      expect(double.calls).toEqual([]);
      expect(statesOf(state)).toEqual(['open']);
    }));

  it('is forgotten when the provider does not know it', () =>
    withChannels(async (channels, double, world, state) => {
      await replaceHalf(channels, double, world);
      double.weather = (call) => (call === 'stop' ? { kind: 'not-found', what: 'watch' } : undefined);
      expect(await channels.tend(['ada'])).toBeUndefined();
      expect(statesOf(state)).toEqual(['open']);
    }));
});

describe('an opening of which it is not known what became', () => {
  it.each([
    ['got no answer', SILENT],
    ['got an answer that cannot be read', { kind: 'malformed', at: 'subscription' }],
  ] as const)('because it %s, is closed when it speaks up', (_name, failure) =>
    withChannels(async (channels, double) => {
      double.weather = () => ({ lost: failure });
      expect(await channels.tend(['ada'])).toEqual(failure);
      double.weather = () => undefined;
      const orphan = onlyOne(double).watchId;
      await channels.tend(['ada']);
      expect(double.living()).toHaveLength(2);
      const word = double.living().find(({ watchId }) => watchId === orphan);
      if (word === undefined) throw new Error('it does not live');
      expect(channels.hear(double.say(word, 'hello'))).toBeUndefined();
      await channels.tend(['ada']);
      expect(onlyOne(double).watchId).not.toBe(orphan);
      expect(channels.areHealthy(['ada'])).toBe(true);
    }),
  );

  it('because of a crash is made up for, and closed when it speaks up', () =>
    withChannels(async (channels, double, world, state) => {
      await endInOpening(channels, double);
      const orphan = onlyOne(double);

      const next = openChannels(state, world, double);
      // The answer may yet come, for all that this life knows.
      await next.tend(['ada']);
      expect(double.living()).toHaveLength(1);
      expect(next.hear(double.say(orphan, 'hello'))).toEqual({ calendarId: 'ada', mayHaveChanged: false });
      expect(next.nextDueAt()).toBeLessThanOrEqual(world.clock.now() + 2 * MINUTE_MS);
      await world.clock.advance(2 * MINUTE_MS);
      await next.tend(['ada']);
      expect(double.living()).toHaveLength(2);
      expect(next.areHealthy(['ada'])).toBe(true);

      expect(next.hear(double.say(orphan, 'changed'))).toBeUndefined();
      expect(next.nextDueAt()).toBeLessThanOrEqual(world.clock.now());
      await next.tend(['ada']);
      expect(onlyOne(double).watchId).not.toBe(orphan.watchId);
    }));

  it('because of a crash is closed also when it speaks up before that is made up for', () =>
    withChannels(async (channels, double, world, state) => {
      await endInOpening(channels, double);
      const orphan = onlyOne(double);
      const next = openChannels(state, world, double);
      await world.clock.advance(2 * MINUTE_MS);
      expect(next.hear(double.say(orphan, 'changed'))).toBeUndefined();
      await next.tend(['ada']);
      expect(onlyOne(double).watchId).not.toBe(orphan.watchId);
      expect(next.areHealthy(['ada'])).toBe(true);
    }));

  it('because of a crash that came while another was to be replaced is not made up for twice', () =>
    withChannels(async (channels, double, world, state) => {
      await channels.tend(['ada']);
      await world.clock.advance(LIFE_MS * 0.85);
      await endInOpening(channels, double);
      const next = openChannels(state, world, double);
      await world.clock.advance(2 * MINUTE_MS);
      await next.tend(['ada']);
      for (const one of double.living()) next.hear(double.say(one, 'changed'));
      await next.tend(['ada']);
      expect(double.living()).toHaveLength(1);
      expect(next.areHealthy(['ada'])).toBe(true);
    }));

  it('is remembered with the latest few of its calendar, however long nothing is answered', () =>
    withChannels(async (channels, double, { clock }, state) => {
      double.weather = () => ({ lost: SILENT });
      for (let time = 0; time < 12; time += 1) {
        // oxlint-disable-next-line no-await-in-loop
        await channels.tend(['ada', 'bob']);
        // oxlint-disable-next-line no-await-in-loop
        await clock.advance(MINUTE_MS);
      }
      expect(double.countOf('watch')).toBe(24);
      expect(
        rowsOf(state)
          .map(({ calendar_id: id }) => id)
          .toSorted(),
      ).toEqual([...Array.from({ length: 5 }, () => 'ada'), ...Array.from({ length: 5 }, () => 'bob')]);
      // The latest is known by its secret.
      const latest = double.living('ada').at(-1);
      if (latest === undefined) throw new Error('none lives');
      double.weather = () => undefined;
      channels.hear(double.say(latest, 'hello'));
      await channels.tend(['ada', 'bob']);
      expect(double.living('ada')).not.toContainEqual(expect.objectContaining({ watchId: latest.watchId }));
    }));

  it('is forgotten when it cannot live any more', () =>
    withChannels(async (channels, double, { clock }, state) => {
      double.weather = () => ({ lost: SILENT });
      await channels.tend(['ada']);
      expect(statesOf(state)).toEqual(['retiring']);
      double.weather = () => undefined;
      await clock.advance(LIFE_MS);
      await channels.tend(['ada']);
      expect(statesOf(state)).toEqual(['open']);
      expect(double.countOf('stop')).toBe(0);
    }));

  it('is known by its secret though the calendar is mirrored no more', () =>
    withChannels(async (channels, double, world, state) => {
      await endInOpening(channels, double);
      const next = openChannels(state, world, double);
      await next.tend([]);
      expect(next.hear(double.say(onlyOne(double), 'changed'))).toBeUndefined();
      await next.tend([]);
      expect(double.living()).toEqual([]);
    }));

  it('leaves nothing behind where it is known that nothing was done', () =>
    withChannels(async (channels, double, _, state) => {
      double.weather = () => DOWN;
      expect(await channels.tend(['ada'])).toEqual(DOWN);
      expect(rowsOf(state)).toEqual([]);
      expect(channels.cover(['ada'])).toBe(false);
    }));

  it('leaves nothing behind where the provider could not even be asked', () =>
    withChannels(async (channels, double, _, state) => {
      double.weather = () => REVOKED;
      expect(await channels.tend(['ada'])).toEqual(REVOKED);
      expect(rowsOf(state)).toEqual([]);
    }));
});

describe('a calendar of which no notifications can be had', () => {
  it.each<Failure>([
    REFUSED,
    { kind: 'not-found', what: 'calendar' },
    { kind: 'rejected', status: 409, code: 'ExtensionError' },
    { kind: 'consent-missing', scopes: [] },
  ])('is tried again a day later ($kind)', (failure) =>
    withChannels(async (channels, double, { clock }) => {
      double.weather = (_call, id) => (id === 'bob' ? failure : undefined);
      expect(await channels.tend(['ada', 'bob'])).toBeUndefined();
      expect(channels.cover(['ada', 'bob'])).toBe(true);
      // No harm beside one that tells, but no help where it is alone.
      expect([channels.areHealthy(['ada', 'bob']), channels.areHealthy(['bob'])]).toEqual([true, false]);
      expect(channels.nextDueAt()).toBe(clock.now() + DAY_MS);
      await clock.advance(DAY_MS - 1);
      await channels.tend(['ada', 'bob']);
      expect(double.countOf('watch')).toBe(2);
      await clock.advance(1);
      double.weather = () => undefined;
      await channels.tend(['ada', 'bob']);
      expect(channels.areHealthy(['ada', 'bob'])).toBe(true);
    }),
  );
});

describe('a channel that may have gone silent', () => {
  it('has three minutes to speak', () =>
    withChannels(async (channels, double, { clock }) => {
      const { watchId } = await goSilent(channels, double);
      expect(channels.areHealthy(['ada'])).toBe(false);
      expect(channels.cover(['ada'])).toBe(true);
      expect(channels.nextDueAt()).toBe(clock.now() + 3 * MINUTE_MS);
      await clock.advance(3 * MINUTE_MS - 1);
      await channels.tend(['ada']);
      expect(onlyOne(double).watchId).toBe(watchId);
    }));

  it('is believed again when it does', () =>
    withChannels(async (channels, double, { clock }) => {
      const one = await goSilent(channels, double);
      await clock.advance(2 * MINUTE_MS);
      expect(channels.hear(double.say(one, 'changed'))).toMatchObject({ mayHaveChanged: true });
      expect(channels.areHealthy(['ada'])).toBe(true);
      await clock.advance(HOUR_MS);
      await channels.tend(['ada']);
      expect(onlyOne(double).watchId).toBe(one.watchId);
      expect(channels.nextDueAt()).toBeGreaterThan(clock.now() + LIFE_MS / 2);
    }));

  it('is not believed for a word that tells of no change', () =>
    withChannels(async (channels, double) => {
      const one = await goSilent(channels, double);
      channels.hear(double.say(one, 'hello'));
      channels.hear(double.say(one, 'missed'));
      expect(channels.areHealthy(['ada'])).toBe(false);
    }));

  it('is replaced when it does not, by one that is believed when it has told of a change', () =>
    withChannels(
      async (channels, double, { clock }) => {
        const { watchId } = await goSilent(channels, double);
        await clock.advance(3 * MINUTE_MS);
        expect(await channels.tend(['ada'])).toBeUndefined();
        const next = onlyOne(double);
        expect(next.watchId).not.toBe(watchId);
        expect([channels.cover(['ada']), channels.areHealthy(['ada'])]).toEqual([true, false]);
        channels.hear(double.say(next, 'hello'));
        expect(channels.areHealthy(['ada'])).toBe(false);
        const dueAtMs = channels.nextDueAt();
        channels.hear(double.say(next, 'changed'));
        expect(channels.areHealthy(['ada'])).toBe(true);
        expect(channels.nextDueAt()).toBe(dueAtMs);
      },
      { renews: true },
    ));

  it.each([true, false])(
    'that stands in for another stays unproven when it is renewed (renews: %s)',
    (renews) =>
      withChannels(
        async (channels, double, { clock }) => {
          await goSilent(channels, double);
          await clock.advance(3 * MINUTE_MS);
          await channels.tend(['ada']);
          await clock.advance(LIFE_MS * 0.85);
          await channels.tend(['ada']);
          expect(onlyOne(double).expiresAtMs).toBe(clock.now() + LIFE_MS);
          expect(channels.areHealthy(['ada'])).toBe(false);
          channels.hear(double.say(onlyOne(double), 'changed'));
          expect(channels.areHealthy(['ada'])).toBe(true);
        },
        { renews },
      ),
  );

  it('is looked for only where one is believed', () =>
    withChannels(async (channels, double, { clock }) => {
      const at = clock.now();
      await goSilent(channels, double);
      await clock.advance(MINUTE_MS);
      channels.suspect('ada');
      channels.suspect('nobody');
      expect(channels.nextDueAt()).toBe(at + 3 * MINUTE_MS);
    }));

  it('is replaced at once where it was to be renewed anyway', () =>
    withChannels(async (channels, _, { clock }) => {
      await channels.tend(['ada']);
      await clock.advance(LIFE_MS * 0.85);
      channels.suspect('ada');
      expect(channels.nextDueAt()).toBeLessThanOrEqual(clock.now());
    }));

  it('is kept while it cannot be replaced', () =>
    withChannels(async (channels, double, { clock }) => {
      const { watchId } = await goSilent(channels, double);
      await clock.advance(3 * MINUTE_MS);
      double.weather = () => DOWN;
      expect(await channels.tend(['ada'])).toEqual(DOWN);
      expect(onlyOne(double).watchId).toBe(watchId);
      expect(channels.nextDueAt()).toBeLessThanOrEqual(clock.now());
    }));
});

describe('a calendar that is mirrored no more', () => {
  it('is told of no more', () =>
    withChannels(async (channels, double, _, state) => {
      await channels.tend(['ada', 'bob']);
      expect(channels.cover(['ada'])).toBe(false);
      expect(await channels.tend(['ada'])).toBeUndefined();
      expect(double.living().map(({ calendarId }) => calendarId)).toEqual(['ada']);
      expect(statesOf(state)).toEqual(['open']);
      expect(channels.cover(['ada'])).toBe(true);
    }));

  it('is told of no more as soon as that can be done', () =>
    withChannels(async (channels, double, { clock }) => {
      await channels.tend(['ada']);
      double.weather = () => DOWN;
      expect(await channels.tend([])).toEqual(DOWN);
      expect(channels.nextDueAt()).toBeLessThanOrEqual(clock.now());
      expect(channels.hear(double.say(onlyOne(double), 'changed'))).toBeUndefined();
      double.weather = () => undefined;
      await channels.tend([]);
      expect(double.living()).toEqual([]);
      expect(channels.nextDueAt()).toBeUndefined();
    }));

  it('is not tried again where there was nothing to be had', () =>
    withChannels(async (channels, double, _, state) => {
      double.weather = () => REFUSED;
      await channels.tend(['ada']);
      await channels.tend([]);
      expect(rowsOf(state)).toEqual([]);
    }));
});

describe('when all is closed', () => {
  it('no channel lives on', () =>
    withChannels(async (channels, double, _, state) => {
      await channels.tend(['ada', 'bob']);
      await channels.closeAll();
      expect(double.living()).toEqual([]);
      expect(rowsOf(state)).toEqual([]);
    }));

  it('what is under way is closed, too, and nothing more is opened', () =>
    withChannels(async (channels, double) => {
      const arrival = Promise.withResolvers<undefined>();
      double.before = () => arrival.promise;
      const tended = channels.tend(['ada', 'bob']);
      await settle();
      const closed = channels.closeAll();
      await settle();
      arrival.resolve(undefined);
      await Promise.all([tended, closed]);
      expect(double.calls).toEqual(['watch ada', 'stop ada']);
      expect(double.living()).toEqual([]);
    }));

  it('what could not be closed is still known', () =>
    withChannels(async (channels, double, _, state) => {
      await channels.tend(['ada', 'bob']);
      double.weather = (call, id) => (call === 'stop' && id === 'bob' ? DOWN : undefined);
      await channels.closeAll();
      expect(rowsOf(state).map((row) => row.calendar_id)).toEqual(['bob']);
    }));

  it('they can be opened again', () =>
    withChannels(async (channels, double) => {
      await channels.tend(['ada']);
      await channels.closeAll();
      await channels.tend(['ada']);
      expect(double.living()).toHaveLength(1);
    }));

  it('nothing is written once the storage goes, whatever answers still come', () =>
    withChannels(async (channels, double, _, state) => {
      const arrival = Promise.withResolvers<undefined>();
      double.before = () => arrival.promise;
      const tended = channels.tend(['ada', 'bob']);
      await settle();
      channels.close();
      await state.storage.deleteAll();
      arrival.resolve(undefined);
      await expect(tended).resolves.toBeUndefined();
      expect(double.calls).toEqual(['watch ada']);
    }));
});

describe('whatever happens to channels', () => {
  const event = fc.oneof(
    fc.record({ act: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: LIFE_MS / 2 }) }),
    fc.record({ act: fc.constant('tend' as const), calendars: fc.subarray(['ada', 'bob', 'eve']) }),
    fc.record({ act: fc.constant('weather' as const), bits: fc.array(fc.integer({ min: 0, max: 5 })) }),
    fc.record({ act: fc.constant('crash' as const) }),
    fc.record({
      act: fc.constant('say' as const),
      kind: fc.constantFrom('changed', 'hello', 'missed', 'renew'),
      which: fc.nat(),
    }),
    fc.record({ act: fc.constant('suspect' as const), id: fc.constantFrom('ada', 'bob', 'eve') }),
  );

  it.each([true, false])(
    'none lives that is not known, and each calendar gets its one (renews: %s)',
    (renews) =>
      inFreshObject(async (state) => {
        await fc.assert(
          fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
            state.storage.sql.exec('DROP TABLE IF EXISTS channel');
            await state.storage.deleteAll();
            const world = createWorld();
            const double = createSyncDouble(world, { renews });
            let channels = openChannels(state, world, double);
            let weathers: number[] = [];
            const kinds = [undefined, DOWN, { lost: SILENT }, REFUSED, REVOKED, undefined];
            double.weather = (call) => {
              const kind = kinds[weathers.shift() ?? 0];
              return kind === REFUSED && call === 'stop' ? DOWN : kind;
            };
            for (const one of events) {
              // oxlint-disable no-await-in-loop
              if (one.act === 'wait') await world.clock.advance(one.ms);
              if (one.act === 'tend') await channels.tend(one.calendars);
              if (one.act === 'weather') weathers = [...one.bits];
              if (one.act === 'suspect') channels.suspect(one.id);
              if (one.act === 'crash') {
                await endInOpening(channels, double, ['ada', 'bob', 'eve']);
                channels = openChannels(state, world, double);
              }
              // oxlint-enable no-await-in-loop
              const living = double.living();
              const speaker = living[one.act === 'say' ? one.which % Math.max(living.length, 1) : 0];
              if (one.act === 'say' && speaker !== undefined) channels.hear(double.say(speaker, one.kind));
              const rows = rowsOf(state);
              const known = new Set(rows.map(({ secret }) => secret));
              // But where more than are remembered were never answered.
              const isForgotten = (id: string) =>
                rows.filter((row) => row.calendar_id === id && row.state === 'retiring').length >= 5;
              const unknown = living.filter(({ secret }) => !known.has(secret));
              expect(unknown.filter(({ calendarId }) => !isForgotten(calendarId))).toEqual([]);
              for (const { watchId } of unknown) double.drop(watchId);
            }
            weathers = [];
            double.weather = () => undefined;
            // What is left of crashes is made up for, and all that live speak.
            await world.clock.advance(2 * DAY_MS);
            await channels.tend(['ada', 'bob']);
            for (const one of double.living()) channels.hear(double.say(one, 'changed'));
            await channels.tend(['ada', 'bob']);
            expect(
              double
                .living()
                .map(({ calendarId }) => calendarId)
                .toSorted(),
            ).toEqual(['ada', 'bob']);
            expect(channels.areHealthy(['ada', 'bob'])).toBe(true);
            expect(channels.nextDueAt()).toBeGreaterThan(START_MS);
          }),
          { numRuns: 40 },
        );
      }),
  );
});
