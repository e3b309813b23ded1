import { describe, expect, it } from 'vitest';
import { fail, ok } from '../../src/domain/failure.ts';
import { withConnected } from './bench-actor.ts';
import { CREATE_PAYLOAD, EVENT, REVOKED, settle, taskOf } from './world.ts';

const CREATE = taskOf('c1', { type: 'create-event', payload: CREATE_PAYLOAD });

describe('a write somebody waits for', () => {
  it('is carried out as a task, and its caller gets the result', () =>
    withConnected(async (actor, world) => {
      expect(await actor.perform(CREATE, 1_000)).toEqual(
        ok({
          submission: 'accepted',
          report: { id: 'c1', type: 'create-event', state: 'done', attempts: 1, result: EVENT },
        }),
      );
      await settle();
      expect(world.calls).toContain('create Meeting');
      expect(world.sent).toMatchObject([{ type: 'task-completed', taskId: 'c1', result: EVENT }]);
      expect(actor.report('c1')).toMatchObject({ state: 'done', attempts: 1 });
    }));

  it('is not carried out again for a caller who repeats it, at once or later', () =>
    withConnected(async (actor, world) => {
      const [first, second] = await Promise.all([actor.perform(CREATE, 1_000), actor.perform(CREATE, 1_000)]);
      expect(first).toMatchObject({ value: { submission: 'accepted', report: { state: 'done' } } });
      expect(second).toMatchObject({ value: { submission: 'repeat', report: { state: 'done' } } });
      await settle();
      expect(await actor.perform(CREATE, 1_000)).toMatchObject({
        value: { submission: 'repeat', report: { state: 'done', result: EVENT } },
      });
      expect(world.calls.filter((call) => call === 'create Meeting')).toHaveLength(1);
    }));

  it('is answered at once to a caller who repeats it while its notice is on its way', () =>
    withConnected(async (actor, world) => {
      let handOver = () => {};
      world.script.sendNotices = () =>
        new Promise((resolve) => {
          handOver = resolve;
        });
      await actor.perform(CREATE, 1_000);
      // Longer than the test may take: the answer is told, not waited for.
      expect(await actor.perform(CREATE, 60_000)).toMatchObject({
        value: { submission: 'repeat', report: { state: 'done', attempts: 1, result: EVENT } },
      });
      handOver();
      await settle();
      expect(actor.report('c1')).toMatchObject({ state: 'done', attempts: 1 });
      expect(world.sent).toHaveLength(1);
    }));

  it('is told apart from another task of the same id', () =>
    withConnected(async (actor, world) => {
      await actor.perform(CREATE, 1_000);
      const other = { ...CREATE, payload: { ...CREATE_PAYLOAD, summary: 'Other' } };
      expect(await actor.perform(other, 1_000)).toMatchObject({ value: { submission: 'mismatch' } });
      expect(world.calls).not.toContain('create Other');
    }));

  it('that takes longer goes on without its caller', () =>
    withConnected(async (actor, world) => {
      let finish = () => {};
      world.script.createEvent = () =>
        new Promise((resolve) => {
          finish = () => resolve(ok(EVENT));
        });
      expect(await actor.perform(CREATE, 1)).toMatchObject({ value: { report: { state: 'running' } } });
      finish();
      await settle();
      expect(actor.report('c1')).toMatchObject({ state: 'done' });
    }));

  it('is not taken on while the grant is dead', () =>
    withConnected(async (actor, world) => {
      world.script.refresh = () => Promise.resolve(REVOKED);
      await actor.submit([taskOf('t1')]);
      await settle();
      expect(await actor.perform(CREATE, 1_000)).toMatchObject({
        ok: false,
        failure: { kind: 'grant-revoked' },
      });
      expect(actor.report('c1')).toBe(undefined);
    }));

  it('that the provider cannot carry out is told by its field', () =>
    withConnected(async (actor, world) => {
      const detail = 'hourly rules cannot be said';
      world.script.createEvent = () =>
        Promise.resolve(fail({ kind: 'unsupported', field: 'recurrence', detail }));
      expect(await actor.perform(CREATE, 1_000)).toMatchObject({
        value: {
          report: { state: 'failed', error: { code: 'invalid_request', message: `recurrence: ${detail}` } },
        },
      });
    }));
});

describe('a creation', () => {
  it('has one key for all of its runs, and says from the second on that it is a repeat', () =>
    withConnected(async (actor, world) => {
      const creations: { key: string; isRepeat: boolean }[] = [];
      world.script.createEvent = (creation) => {
        creations.push(creation);
        return Promise.resolve(
          creations.length === 1 ? fail({ kind: 'unavailable', ambiguous: true }) : ok(EVENT),
        );
      };
      await actor.submit([CREATE]);
      await settle();
      await world.clock.advance(10_000);
      await actor.alarm();
      await settle();
      expect(creations.map(({ isRepeat }) => isRepeat)).toEqual([false, true]);
      expect(new Set(creations.map(({ key }) => key)).size).toBe(1);
      expect(actor.report('c1')).toMatchObject({ state: 'done', attempts: 2 });
    }));
});
