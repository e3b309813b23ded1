import type { PersonSeen, SeenCall, Truth } from '../local/sandbox-process.ts';
import { sortEarly } from './early.ts';
import type { End } from './hand-over.ts';
import type { Expectation, Plan } from './plan.ts';

/** Provider calls of one account at once: the providers' own limit, and the worker's. */
export const MOST_AT_ONCE = 4;

/** A cancel that comes before its hold keeps that from being placed for so long; one that comes later is placed. */
const FORESTALLED_MS = 15 * 60_000;

/** What one user of a provider may ask for in a stretch of time. */
const USER_WINDOWS = {
  google: { calls: 500, ms: 100_000 },
  microsoft: { calls: 10_000, ms: 600_000 },
};

/** What came of the load. */
export interface Judgement {
  lost: string[];
  duplicated: string[];
  /** Entries of holds that were cancelled. */
  leftOver: string[];
  failedUnexpectedly: string[];
  /** Calls that came before a throttle had passed. */
  early: string[];
  /** Further ones that could not know: the process that was told of the throttle was dead, or took it along. */
  earlyToldToTheDead: number;
  /** And that crossed the throttled reply, for the machine stood still. */
  earlyCrossing: number;
  peak: number;
  peakWithDead: number;
  overfullWindows: number;
  /** What else the providers did not like: requests that were wrong in themselves. */
  refused: string[];
  calls: number;
  faultyCalls: number;
}

/** Holds what the worker's ledger says against what really stands in the calendars, and what the providers saw. */
export function judge(
  plan: Plan,
  ends: ReadonlyMap<string, End>,
  { truth, people }: { truth: Truth; people: readonly PersonSeen[] },
  killedAtMs: readonly number[],
): Judgement {
  const early = sortEarly(truth, killedAtMs);
  const entries = new Map(people.map((person) => [person.email, entriesOf(person)]));
  const judgements = plan.expectations.map((expected) =>
    judgeOne(expected, ends, entries.get(expected.email) ?? []),
  );
  const neverEnded = plan.tasks
    .filter(({ id }) => !ends.has(id))
    .map(({ id, type }) => `${id} (${type}) never ended`);
  const made = truth.effects.filter(({ deed }) => deed === 'created');
  const twice = [...Map.groupBy(made, ({ key }) => key ?? '')].filter(
    ([key, all]) => key !== '' && all.length > 1,
  );
  return {
    lost: [...neverEnded, ...judgements.flatMap(({ lost }) => lost)],
    duplicated: [
      ...twice.map(([key, all]) => `${all.length} events under the key ${key}`),
      ...judgements.flatMap(({ duplicated }) => duplicated),
    ],
    leftOver: judgements.flatMap(({ leftOver = [] }) => leftOver),
    failedUnexpectedly: failuresOf(plan, ends),
    early: early.knowing.map(
      ({ at, person, operation, earlyByMs }) =>
        `${new Date(at).toISOString()} ${person}: ${operation} ${earlyByMs} ms early`,
    ),
    earlyToldToTheDead: early.toldToTheDead.length,
    earlyCrossing: early.crossing.length,
    peak: Math.max(0, ...Object.values(truth.peaksAlive)),
    peakWithDead: Math.max(0, ...Object.values(truth.peaks)),
    overfullWindows: countOverfullWindows(truth.calls),
    refused: truth.refusals.map(
      ({ operation, status, reason }) => `${operation} refused with ${status}: ${reason}`,
    ),
    calls: truth.calls.length,
    faultyCalls: truth.calls.filter(({ faults = [] }) => faults.length > 0).length,
  };
}

/** True when nothing of it may fail a run. */
export function isGood(judgement: Judgement): boolean {
  const { lost, duplicated, failedUnexpectedly, early, leftOver, peak, peakWithDead } = judgement;
  const wrong = [lost, duplicated, failedUnexpectedly, early, leftOver];
  return wrong.every(({ length }) => length === 0) && Math.max(peak, peakWithDead) <= MOST_AT_ONCE;
}

interface Entry {
  summary: string;
  createdMs: number;
  holdId: string | undefined;
}

function entriesOf({ calendars }: PersonSeen): Entry[] {
  return calendars
    .flatMap(({ events }) => events)
    .filter(({ status }) => status !== 'cancelled')
    .map(({ summary, createdMs, marks = [] }) => ({
      summary,
      createdMs,
      holdId: marks.find(({ id }) => /hold$/i.test(id))?.value,
    }));
}

/** Only a task that is done promises something of the calendar. */
function judgeOne(
  expected: Expectation,
  ends: ReadonlyMap<string, End>,
  entries: readonly Entry[],
): { lost: string[]; duplicated: string[]; leftOver?: string[] } {
  const isDone = (taskId: string) => ends.get(taskId)?.state === 'done';
  const count = (matches: (entry: Entry) => boolean) => entries.filter(matches).length;
  const judgeCount = (name: string, found: number, wanted: number) => ({
    lost: found < wanted ? [`${name}: ${found} entries instead of ${wanted}`] : [],
    duplicated: found > wanted ? [`${name}: ${found} entries instead of ${wanted}`] : [],
  });
  switch (expected.kind) {
    case 'event':
      return judgeCount(
        `${expected.taskId} ${expected.summary}`,
        count(({ summary }) => summary === expected.summary),
        isDone(expected.taskId) ? 1 : 0,
      );
    case 'hold':
      return judgeCount(
        `${expected.taskId} hold ${expected.holdId}`,
        count(({ holdId }) => holdId === expected.holdId),
        isDone(expected.taskId) ? 1 : 0,
      );
    case 'gone': {
      const untilMs = (ends.get(expected.taskId)?.atMs ?? 0) + FORESTALLED_MS;
      const left = count(({ holdId, createdMs }) => holdId === expected.holdId && createdMs <= untilMs);
      const isLeft = isDone(expected.taskId) && left > 0;
      return {
        lost: [],
        duplicated: [],
        leftOver: isLeft ? [`${expected.taskId} cancelled hold ${expected.holdId}: ${left} entries`] : [],
      };
    }
    case 'rivals':
      return judgeCount(
        `${expected.taskIds.join(' and ')}, holds on one time`,
        count(({ holdId }) => expected.holdIds.includes(holdId ?? '')),
        expected.taskIds.filter(isDone).length === 0 ? 0 : 1,
      );
  }
}

/** Tasks that failed though nothing but a fault of the moment stood in their way. */
function failuresOf({ tasks, expectations }: Plan, ends: ReadonlyMap<string, End>): string[] {
  const stateOf = (id: string) => ends.get(id)?.state;
  const losers = new Set(
    expectations.flatMap((expected) => {
      if (expected.kind !== 'rivals') return [];
      const { taskIds } = expected;
      const refused = taskIds.filter((id) => ends.get(id)?.code === 'conflict');
      return refused.length === 1 && taskIds.some((id) => stateOf(id) === 'done') ? refused : [];
    }),
  );
  const both = expectations.flatMap((expected) =>
    expected.kind === 'rivals' && expected.taskIds.every((id) => stateOf(id) === 'done')
      ? [`${expected.taskIds.join(' and ')} hold one time, both`]
      : [],
  );
  const failed = tasks.filter(({ id }) => stateOf(id) === 'failed' && !losers.has(id));
  return [...failed.map(({ id, type }) => `${id} (${type}): ${ends.get(id)?.code ?? ''}`), ...both];
}

/** How many stretches of time hold more calls of one user than that user may make, none counted twice. */
function countOverfullWindows(calls: readonly SeenCall[]): number {
  const counted = calls.filter(({ kind, person }) => kind === 'api' && person !== undefined);
  let overfull = 0;
  for (const own of Map.groupBy(counted, ({ provider, person }) => `${provider} ${person}`).values()) {
    const window = USER_WINDOWS[own[0]?.provider ?? 'google'];
    const times = own.map(({ at }) => at).toSorted((a, b) => a - b);
    for (let index = 0; index + window.calls < times.length; index += 1) {
      const [first = 0, beyond = Infinity] = [times[index], times[index + window.calls]];
      if (beyond - first >= window.ms) continue;
      overfull += 1;
      index += window.calls;
    }
  }
  return overfull;
}
