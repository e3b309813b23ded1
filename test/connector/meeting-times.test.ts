import { describe, expect, it } from 'vitest';
import { Availability } from '../../src/connector/availability.ts';
import { LiveBusy } from '../../src/connector/live-busy.ts';
import { MeetingTimes } from '../../src/connector/meeting-times.ts';
import type { BusyReport, WorkingHours } from '../../src/domain/availability.ts';
import { type Failure, fail, ok, type Outcome } from '../../src/domain/failure.ts';
import type { Interval } from '../../src/domain/interval.ts';
import type { MeetingTimesQuestion } from '../../src/domain/meeting-times.ts';
import type { Access, TimesQuestion } from '../../src/providers/provider.ts';
import { openAccount, withParts } from './bench.ts';
import { DARK, grantOf, HOUR_MS, REVOKED, START_MS, type World } from './world.ts';

const QUESTION: MeetingTimesQuestion = {
  range: { startMs: START_MS, endMs: START_MS + 4 * HOUR_MS },
  timeZone: 'UTC',
  durationMs: HOUR_MS,
  limit: 10,
};
const HOURS: WorkingHours[] = [{ day: 'monday', start: '08:00', end: '11:00', timeZone: 'UTC' }];
const at = (hour: number): Interval => ({
  startMs: START_MS + hour * HOUR_MS,
  endMs: START_MS + (hour + 1) * HOUR_MS,
});

interface Scene {
  meetingTimes: MeetingTimes;
  world: World;
  /** What the calendars hold; what the provider would choose; what it was asked; what failed besides. */
  report: BusyReport;
  provider: { suggest: (access: Access) => Promise<Outcome<Interval[] | undefined>> };
  asked: TimesQuestion[];
  failures: Failure[];
}

/** With an account of a provider that suggests times, unless it is `silent`. */
function withMeetingTimes(body: (scene: Scene) => Promise<void>, silent = false) {
  return withParts(async ({ tokens, store }, world) => {
    const { clock, script } = world;
    await tokens.adopt(grantOf(1));
    const account = openAccount({ tokens, store }, world);
    const report: BusyReport = { calendars: [{ id: 'main', busy: ok([]) }] };
    script.readBusy = () => Promise.resolve(ok(report));
    const scripted: Scene['provider'] = { suggest: () => Promise.resolve(ok([])) };
    const asked: TimesQuestion[] = [];
    const provider = {
      ...world.provider,
      ...(!silent && {
        suggestTimes: (question: TimesQuestion, access: Access) => {
          asked.push(question);
          return scripted.suggest(access);
        },
      }),
    };
    const failures: Failure[] = [];
    const meetingTimes = new MeetingTimes({
      connectorId: 'connector-1',
      account,
      availability: new Availability({
        live: new LiveBusy({ account, provider, isCurrent: () => true, now: clock.now }),
        held: () => [],
        now: clock.now,
      }),
      provider,
      now: clock.now,
      onFailure: (failure) => void failures.push(failure),
    });
    await body({ meetingTimes, world, report, provider: scripted, asked, failures });
  });
}

/** The source of the answer, and the hours at which its suggestions begin. */
async function ask({ meetingTimes }: Scene, change: Partial<MeetingTimesQuestion> = {}) {
  const answer = await meetingTimes.answer({ ...QUESTION, ...change });
  if (!answer.ok) return answer.failure.kind;
  const { source, suggestions } = answer.value;
  return [source, ...suggestions.map(({ start }) => start.slice(11, 16))].join(' ');
}

describe('meeting times', () => {
  it('are computed for a provider that suggests none', () =>
    withMeetingTimes(async (scene) => {
      scene.report.calendars = [{ id: 'main', busy: ok([at(1)]) }];
      expect(await ask(scene)).toBe('computed 08:00 10:00 11:00');
    }, true));

  it("are the provider's, as far as they are free in every calendar", () =>
    withMeetingTimes(async (scene) => {
      scene.report.calendars = [
        { id: 'main', busy: ok([]) },
        { id: 'second', busy: ok([at(1)]) },
      ];
      scene.provider.suggest = () => Promise.resolve(ok([at(2), at(1), at(0)]));
      expect(await ask(scene)).toBe('provider 08:00 10:00');
      expect(scene.asked).toEqual([{ range: QUESTION.range, durationMs: HOUR_MS, withinWorkingHours: true }]);
    }));

  it('are computed when the provider has none, or none that is free', () =>
    withMeetingTimes(async (scene) => {
      scene.report.calendars = [{ id: 'main', busy: ok([at(1)]) }];
      for (const suggested of [undefined, [], [at(1)]]) {
        scene.provider.suggest = () => Promise.resolve(ok(suggested));
        // oxlint-disable-next-line no-await-in-loop
        expect(await ask(scene)).toBe('computed 08:00 10:00 11:00');
      }
    }));

  it('are asked of the provider without its working hours when those are ignored', () =>
    withMeetingTimes(async (scene) => {
      scene.report.workingHours = HOURS;
      scene.provider.suggest = () => Promise.resolve(ok([at(3)]));
      expect(await ask(scene, { workingHours: 'ignore' })).toBe('provider 11:00');
      expect(scene.asked).toMatchObject([{ withinWorkingHours: false }]);
      expect(await ask(scene)).toBe('computed 08:00 09:00 10:00');
    }));

  it('are not asked of the provider where it cannot say what is wanted', () =>
    withMeetingTimes(async (scene) => {
      expect(await ask(scene, { calendars: ['main'] })).toBe('computed 08:00 09:00 10:00 11:00');
      expect(await ask(scene, { workingHours: HOURS })).toBe('computed 08:00 09:00 10:00');
      expect(scene.asked).toEqual([]);
    }));

  it('are none, and the provider is not asked, while a calendar cannot be read', () =>
    withMeetingTimes(async (scene) => {
      scene.report.calendars.push({ id: 'second', busy: DARK });
      expect(await ask(scene)).toBe('computed');
      expect(scene.asked).toEqual([]);
    }));

  it('are none that have begun by the time they are told', () =>
    withMeetingTimes(async (scene) => {
      const { clock } = scene.world;
      scene.provider.suggest = async () => {
        await clock.advance(HOUR_MS / 2);
        return ok([at(0), at(2)]);
      };
      expect(await ask(scene)).toBe('provider 10:00');
      await clock.advance(HOUR_MS);
      scene.provider.suggest = () => Promise.resolve(ok(undefined));
      expect(await ask(scene)).toBe('computed 09:30 10:30');
      expect(scene.asked.at(-1)?.range.startMs).toBe(START_MS + 1.5 * HOUR_MS);
    }));

  it('ask for the busy times as they are now', () =>
    withMeetingTimes(async (scene) => {
      const ranges: Interval[] = [];
      scene.world.script.readBusy = ({ range }) => {
        ranges.push(range);
        return Promise.resolve(ok(scene.report));
      };
      await ask(scene);
      expect(ranges).toEqual([QUESTION.range]);
    }));

  it('fail where availability does', () =>
    withMeetingTimes(async (scene) => {
      scene.world.script.readBusy = () => Promise.resolve(DARK);
      expect(await ask(scene)).toBe('unavailable');
    }));

  it.each<Failure>([
    { kind: 'throttled', scope: 'user' },
    { kind: 'unavailable', ambiguous: false },
    { kind: 'malformed', at: 'findMeetingTimes' },
  ])('do without the provider when it fails as $kind', (failure) =>
    withMeetingTimes(async (scene) => {
      scene.provider.suggest = () => Promise.resolve(fail(failure));
      expect(await ask(scene)).toBe('computed 08:00 09:00 10:00 11:00');
      expect(scene.failures).toEqual([]);
    }),
  );

  it('do without the provider when it refuses our request, and the operator learns of it', () =>
    withMeetingTimes(async (scene) => {
      const failure = { kind: 'rejected', status: 400, code: 'Bad' } as const;
      scene.provider.suggest = () => Promise.resolve(fail(failure));
      expect(await ask(scene)).toBe('computed 08:00 09:00 10:00 11:00');
      expect(scene.failures).toEqual([failure]);
    }));

  it('meet a token that is rejected with one refresh, and a dead grant as a failure', () =>
    withMeetingTimes(async (scene) => {
      scene.provider.suggest = ({ accessToken }) =>
        Promise.resolve(accessToken === 'access-1' ? fail({ kind: 'token-rejected' }) : ok([at(1)]));
      expect(await ask(scene)).toBe('provider 09:00');
      scene.provider.suggest = () => Promise.resolve(fail({ kind: 'token-rejected' }));
      scene.world.script.refresh = () => Promise.resolve(REVOKED);
      expect(await ask(scene)).toBe('grant-revoked');
    }));
});
