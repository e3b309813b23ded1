import { describe, expect, it } from 'vitest';
import { LiveBusy } from '../../src/connector/live-busy.ts';
import { fail, ok, type Outcome } from '../../src/domain/failure.ts';

const HOUR_MS = 3_600_000;
const QUESTION = { range: { startMs: 0, endMs: HOUR_MS }, calendars: ['a', 'b'] };

/** A provider that answers when it is told to. */
function withReader() {
  const asked: string[][] = [];
  const waiting: PromiseWithResolvers<Outcome<never>>[] = [];
  const clock = { nowMs: 1_000, writtenAtMs: 0 };
  const reader = new LiveBusy({
    account: { use: async (_, operate) => await operate(UNUSED_ACCESS) },
    provider: {
      readBusy: ({ calendars = [] }) => {
        asked.push(calendars);
        const answer = Promise.withResolvers<Outcome<never>>();
        waiting.push(answer);
        return answer.promise;
      },
    },
    isCurrent: (asOfMs) => asOfMs > clock.writtenAtMs,
    now: () => clock.nowMs,
  });
  const answerAll = () => {
    for (const { resolve } of waiting.splice(0)) resolve(fail({ kind: 'unavailable', ambiguous: false }));
  };
  return { asked, clock, reader, answerAll };
}

const UNUSED_ACCESS = {
  accessToken: '',
  account: { id: '', kind: 'work' as const },
  send: () => Promise.resolve(fail({ kind: 'unavailable', ambiguous: false })),
  now: () => 0,
};

describe('identical questions at once', () => {
  it('share one reading, whatever the order of their calendars, and all learn how old it is', async () => {
    const { asked, clock, reader, answerAll } = withReader();
    const first = reader.read(QUESTION, 'interactive');
    clock.nowMs = 3_000;
    const others = Array.from({ length: 20 }, () =>
      reader.read({ ...QUESTION, calendars: ['b', 'a'] }, 'interactive'),
    );
    answerAll();
    const readings = await Promise.all([first, ...others]);
    expect(asked).toEqual([['a', 'b']]);
    expect(new Set(readings.map(({ asOfMs }) => asOfMs))).toEqual(new Set([1_000]));
  });

  it('are read again by one that may not be answered with what was asked before it', async () => {
    const { asked, clock, reader, answerAll } = withReader();
    const first = reader.read(QUESTION, 'interactive');
    clock.nowMs = 1_500;
    const strict = reader.read({ ...QUESTION, maxStalenessMs: 0 }, 'interactive');
    const patient = reader.read({ ...QUESTION, maxStalenessMs: 500 }, 'interactive');
    answerAll();
    await Promise.all([first, strict, patient]);
    expect(asked).toHaveLength(2);
    expect((await patient).asOfMs).toBe(1_500);
  });

  it('do not share a reading that began before something was written', async () => {
    const { asked, clock, reader, answerAll } = withReader();
    const first = reader.read(QUESTION, 'interactive');
    clock.nowMs = 1_200;
    clock.writtenAtMs = 1_100;
    const after = reader.read(QUESTION, 'interactive');
    answerAll();
    await Promise.all([first, after]);
    expect(asked).toHaveLength(2);
  });

  it('do not share across lanes: who waits does not stand behind what can', async () => {
    const { asked, reader, answerAll } = withReader();
    const both = [reader.read(QUESTION, 'background'), reader.read(QUESTION, 'interactive')];
    answerAll();
    await Promise.all(both);
    expect(asked).toHaveLength(2);
  });
});

describe('questions that differ, or come one after the other', () => {
  it('are each read', async () => {
    const { asked, reader, answerAll } = withReader();
    const both = [
      reader.read(QUESTION, 'interactive'),
      reader.read({ range: QUESTION.range, calendars: ['a'] }, 'interactive'),
      reader.read({ ...QUESTION, range: { startMs: 0, endMs: 2 * HOUR_MS } }, 'interactive'),
    ];
    answerAll();
    await Promise.all(both);
    const later = reader.read(QUESTION, 'interactive');
    answerAll();
    await later;
    expect(asked).toHaveLength(4);
  });

  it('are read again after a reading that threw', async () => {
    let calls = 0;
    const reader = new LiveBusy({
      account: { use: () => Promise.reject(new Error(`no ${(calls += 1)}`)) },
      provider: { readBusy: () => Promise.resolve(ok({ calendars: [] })) },
      isCurrent: () => true,
      now: () => 0,
    });
    await expect(reader.read(QUESTION, 'interactive')).rejects.toThrow('no 1');
    await expect(reader.read(QUESTION, 'interactive')).rejects.toThrow('no 2');
  });
});
