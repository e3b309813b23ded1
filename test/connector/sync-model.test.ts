import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forgetFact, SYNC } from '../../src/connector/facts.ts';
import { fail, ok, type Outcome } from '../../src/domain/failure.ts';
import type { MirroredEvent } from '../../src/domain/mirror.ts';
import { inFreshObject, openStore } from './bench.ts';
import { CALENDAR, single } from './bench-mirror.ts';
import { createRemote, DOUBT_MS, DOWN, EXPIRED, idsOf, openSync, repair } from './bench-sync.ts';

const { id: ID } = CALENDAR;

describe('a mirror and what it mirrors', () => {
  const event = fc
    .tuple(fc.integer({ min: 0, max: 11 }), fc.integer({ min: 0, max: 40 }))
    .map(([id, at]): MirroredEvent => single(`e${id}`, at));
  const stepArb = fc.oneof(
    fc.record({ put: fc.array(event, { minLength: 1, maxLength: 6 }) }),
    fc.record({ remove: fc.integer({ min: 0, max: 11 }) }),
    fc.record({
      /** What goes wrong with which page of this run, if anything. */
      run: fc.constantFrom('well', 'well', 'killed', 'expired', 'down', 'empty', 'full'),
      page: fc.integer({ min: 0, max: 3 }),
    }),
  );

  it('are the same after a run that goes well, whatever went wrong before', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      await fc.assert(
        fc.asyncProperty(
          fc.array(stepArb, { maxLength: 25 }),
          fc.integer({ min: 1, max: 5 }),
          async (steps, pageSize) => {
            for (const table of ['mirrored_event', 'mirrored_calendar']) store.query(`DELETE FROM ${table}`);
            forgetFact(store, SYNC);
            const bench = openSync(store, createRemote());
            const { remote, clock, open, script } = bench;
            let { sync } = bench;
            remote.pageSize = pageSize;

            for (const step of steps) {
              if ('put' in step) remote.put(...step.put);
              else if ('remove' in step) remote.remove(`e${step.remove}`);
              else {
                let page = -1;
                remote.answer = (): Outcome<never> | undefined => {
                  page += 1;
                  if (page !== step.page) return undefined;
                  if (step.run === 'killed') throw new Error('killed');
                  if (step.run === 'expired') return fail(EXPIRED);
                  if (step.run === 'down') return fail(DOWN);
                  return undefined;
                };
                if (step.run === 'empty')
                  remote.answer = ({ position }) =>
                    position === undefined
                      ? ok({ events: [], removed: [], position: 'since:0', isComplete: true })
                      : fail(EXPIRED);
                let writes = 0;
                script.beforeQuery = (statement) => {
                  if (step.run !== 'full' || !statement.startsWith('INSERT')) return;
                  writes += 1;
                  if (writes > step.page * 2) throw new Error('full');
                };
                // oxlint-disable-next-line no-await-in-loop
                const isThrown = await sync.request('background').then(
                  () => false,
                  () => true,
                );
                script.beforeQuery = () => {};
                if (isThrown && step.run === 'killed') ({ sync } = open());
                // oxlint-disable-next-line no-await-in-loop
                await clock.advance(1_000);
              }
            }
            repair(remote);
            // A doubt wants two readings.
            await sync.request('background');
            await clock.advance(DOUBT_MS);
            expect((await sync.request('background')).ok).toBe(true);
            const { mirror } = open();
            const events = remote.eventsOf(ID);
            expect(idsOf(mirror)).toEqual([...events.keys()].toSorted());
            for (const [id, one] of events) expect(mirror.findEvent(ID, id)).toEqual(one);
            expect(mirror.find(ID)?.isDoubted).toBe(false);
          },
        ),
        { numRuns: 60 },
      );
    }));
});
