import { beforeAll, describe, expect, it } from 'vitest';
import { type Measurement, measureCosts, PROVIDERS } from './measure.ts';
import { formatMarkdown, readShownCosts } from './readme.ts';
import { describeCosts } from './report.ts';

let measured: Measurement[];

beforeAll(async () => {
  measured = await measureCosts();
});

function costOf(type: Measurement['type'], provider: Measurement['provider'], state: Measurement['state']) {
  const found = measured.find((one) => one.type === type && one.provider === provider && one.state === state);
  if (found === undefined) throw new Error(`${type} was not measured`);
  return found;
}

/** Tasks that leave nothing behind in the connector's object but themselves. */
const PLAIN = ['check-availability', 'create-event', 'update-event', 'cancel-event'] as const;
const HOLDING = ['place-hold', 'cancel-hold', 'confirm-hold'] as const;

describe.each(PROVIDERS)('for a warm connector of %s', (provider) => {
  it('an event is created with one call of the provider', () => {
    const { providerCalls, tokenCalls } = costOf('create-event', provider, 'warm');
    expect({ providerCalls, tokenCalls }).toEqual({ providerCalls: 1, tokenCalls: 0 });
  });

  it.each([...PLAIN, ...HOLDING])('%s touches neither the database nor KV', (type) => {
    const { d1RowsRead, d1RowsWritten, kvReads, kvWrites } = costOf(type, provider, 'warm');
    expect({ d1RowsRead, d1RowsWritten, kvReads, kvWrites }).toEqual({
      d1RowsRead: 0,
      d1RowsWritten: 0,
      kvReads: 0,
      kvWrites: 0,
    });
  });

  it.each([...PLAIN, ...HOLDING])('%s costs one call of its object', (type) => {
    expect(costOf(type, provider, 'warm').doCalls).toBe(1);
  });

  it.each([...PLAIN, ...HOLDING])(
    '%s by itself asks the provider app for permits, and reports once it is quiet',
    (type) => {
      const { otherDoCalls } = costOf(type, provider, 'warm');
      expect(otherDoCalls).toBeGreaterThanOrEqual(2);
      expect(otherDoCalls).toBeLessThanOrEqual(3);
    },
  );

  it('the provider app is asked ever more rarely by one that is busy', () => {
    expect(costOf('create-event', provider, 'stream').otherDoCalls).toBeLessThanOrEqual(0.5);
  });

  it('ten tasks in one batch cost one call of the object', () => {
    expect(costOf('create-event', provider, 'stream').doCalls).toBe(0.1);
  });

  it.each(PLAIN)(
    '%s writes four rows at most, its notice and both settings of the alarm included',
    (type) => {
      expect(costOf(type, provider, 'warm').rowsWritten).toBeLessThanOrEqual(4);
    },
  );

  it.each([
    ['place-hold', 6],
    ['cancel-hold', 7],
    ['confirm-hold', 7],
  ] as const)('%s writes %i rows at most', (type, rows) => {
    expect(costOf(type, provider, 'warm').rowsWritten).toBeLessThanOrEqual(rows);
  });

  it('ten questions alike at once are one reading, so each has a tenth of its calls', () => {
    const [stream, warm] = (['stream', 'warm'] as const).map((state) =>
      costOf('check-availability', provider, state),
    );
    expect(stream?.providerCalls).toBe((warm?.providerCalls ?? NaN) / 10);
  });

  it('one of ten in a batch writes its own two rows, and shares the alarm and the count of calls', () => {
    const { rows } = costOf('create-event', provider, 'stream');
    expect(rows).toEqual({ 'INSERT task': 1, 'UPDATE task': 1, setAlarm: 0.2, 'INSERT fact': 0.1 });
  });

  it('a task costs as much after a thousand that day as without them', () => {
    const [full, warm] = [costOf('create-event', provider, 'full'), costOf('create-event', provider, 'warm')];
    expect(full.rowsRead - warm.rowsRead).toBeLessThanOrEqual(60);
    expect(full.rows).toEqual(warm.rows);
  });

  it('a refreshed token is written to KV once, and nothing is read there', () => {
    const { kvReads, kvWrites } = costOf('refresh-token', provider, 'warm');
    expect({ kvReads, kvWrites }).toEqual({ kvReads: 0, kvWrites: 1 });
  });

  it('every task is one message in and one out, and is forgotten a day later for one row', () => {
    for (const { state, messages, rowsLater } of measured.filter((one) => one.provider === provider)) {
      // What has changed is told besides.
      expect({ messages, rowsLater }).toEqual({ messages: state === 'changed' ? 3 : 2, rowsLater: 1 });
    }
  });
});

describe.each(PROVIDERS)('for a cold connector of %s', (provider) => {
  it.each([...PLAIN, ...HOLDING])(
    '%s reads one row of the database, and notes its use and its calls',
    (type) => {
      const [cold, warm] = [costOf(type, provider, 'cold'), costOf(type, provider, 'warm')];
      expect(cold.d1RowsRead).toBe(1);
      expect(cold.rowsWritten - warm.rowsWritten).toBeLessThanOrEqual(3);
      expect(cold.providerCalls).toBe(warm.providerCalls);
    },
  );
});

describe.each(PROVIDERS)('for a connector of %s with a mirror', (provider) => {
  it.each([
    ['mirrored', 4, 0],
    // Its use is noted, and the database asked who it is.
    ['mirrored-cold', 5, 1],
  ] as const)('check-availability, %s, asks nobody and writes %i rows at most', (state, rows, d1Rows) => {
    const { providerCalls, tokenCalls, rowsWritten, ...others } = costOf(
      'check-availability',
      provider,
      state,
    );
    const { d1RowsRead, d1RowsWritten, kvReads, kvWrites } = others;
    expect({ providerCalls, tokenCalls, d1RowsRead, d1RowsWritten, kvReads, kvWrites }).toEqual({
      providerCalls: 0,
      tokenCalls: 0,
      d1RowsRead: d1Rows,
      d1RowsWritten: 0,
      kvReads: 0,
      kvWrites: 0,
    });
    expect(rowsWritten).toBeLessThanOrEqual(rows);
  });

  it('an answer from the mirror asks for no permits: the one call of the provider app reports it', () => {
    expect(costOf('check-availability', provider, 'mirrored').otherDoCalls).toBe(1);
  });

  it.each([
    ['warm', 9],
    ['changed', 16],
  ] as const)(
    'sync-calendar, %s, is a call for the list and one for the changes, and writes %i rows at most',
    (state, rows) => {
      const { providerCalls, tokenCalls, rowsWritten, kvReads, kvWrites } = costOf(
        'sync-calendar',
        provider,
        state,
      );
      expect(providerCalls + tokenCalls).toBeLessThanOrEqual(2);
      expect(rowsWritten).toBeLessThanOrEqual(rows);
      expect({ kvReads, kvWrites }).toEqual({ kvReads: 0, kvWrites: 0 });
    },
  );

  it.each(['warm', 'changed'] as const)('sync-calendar, %s, shows how it stands once at most', (state) => {
    expect(costOf('sync-calendar', provider, state).d1RowsWritten).toBeLessThanOrEqual(1);
  });

  it('one changed event is one row of the mirror', () => {
    expect(costOf('sync-calendar', provider, 'changed').rows['INSERT mirrored_event']).toBe(1);
  });
});

it('the README shows what `npm run cost` prints', async () => {
  const advice = 'the costs have changed: look at them, then `npm run cost -- --write`';
  expect(await readShownCosts(), advice).toBe(await formatMarkdown(describeCosts(measured)));
});
