import { describe, expect, it } from 'vitest';
import { fail, ok } from '../../src/domain/failure.ts';
import { withActor, withConnected } from './bench-actor.ts';
import { HOUR_MS, REVOKED, settle, START_MS, taskOf } from './world.ts';

const QUESTION = {
  range: { startMs: START_MS, endMs: START_MS + 2 * HOUR_MS },
  timeZone: 'UTC',
  durationMs: HOUR_MS,
  limit: 10,
};

describe('meeting times, asked for by a caller who waits', () => {
  it('are answered under the name of the connector, and count as its use', () =>
    withConnected(async (actor, { script, alarm }) => {
      script.readBusy = () => Promise.resolve(ok({ calendars: [{ id: 'main', busy: ok([]) }] }));
      expect(await actor.meetingTimes(QUESTION)).toMatchObject({
        ok: true,
        value: {
          suggestions: [{ start: '2026-11-23T08:00:00+00:00' }, { start: '2026-11-23T09:00:00+00:00' }],
          calendars: [{ connectorId: 'connector-1', id: 'main', status: 'ok' }],
          source: 'computed',
        },
      });
      expect(alarm.atMs).not.toBe(null);
    }));

  it('are refused, with no call, while there is no grant or a dead one', async () => {
    await withActor(async (actor, { calls }) => {
      expect(await actor.meetingTimes(QUESTION)).toMatchObject({ failure: { kind: 'grant-revoked' } });
      expect(calls).toEqual([]);
    });
    await withConnected(async (actor, { script, calls }) => {
      script.refresh = () => Promise.resolve(REVOKED);
      await actor.submit([taskOf('t1')]);
      await settle();
      calls.length = 0;
      expect(await actor.meetingTimes(QUESTION)).toMatchObject({ failure: { kind: 'grant-revoked' } });
      expect(calls).toEqual([]);
    });
  });

  it('tell the person when they find the permission gone', () =>
    withConnected(async (actor, { script, sent }) => {
      script.readBusy = () => Promise.resolve(fail({ kind: 'token-rejected' }));
      script.refresh = () => Promise.resolve(REVOKED);
      expect(await actor.meetingTimes(QUESTION)).toMatchObject({ failure: { kind: 'grant-revoked' } });
      await settle();
      expect(sent).toMatchObject([{ type: 'connector-needs-reauth' }]);
    }));
});
