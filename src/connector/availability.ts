import {
  answerQuestion,
  type AvailabilityAnswer,
  type AvailabilityQuestion,
  type BusyReport,
} from '../domain/availability.ts';
import { describeFailure, fail, ok, type Outcome } from '../domain/failure.ts';
import type { Interval } from '../domain/interval.ts';
import type { LiveBusy } from './live-busy.ts';
import type { MirrorAnswers, MirrorReading } from './mirror-answers.ts';

/** After so many runs a calendar that still cannot be read is answered as unavailable. */
const MOST_RUNS = 3;

/** What a run has learnt is used by the next ones for so long. */
const LEARNT_KEPT_MS = 5 * 60 * 1000;

/** What availability is made of. */
export interface AvailabilityOptions {
  live: LiveBusy;
  /** Absent: there is no mirror. */
  mirror?: Pick<MirrorAnswers, 'busy'>;
  /** What live holds take of a question's range. */
  held: (question: AvailabilityQuestion) => Interval[];
  now: () => number;
}

/**
 * Answers when the account is busy: from the mirror where that is as fresh as the question wants it, else by
 * asking the provider; and by what is held.
 */
export class Availability {
  readonly #options: AvailabilityOptions;
  /** What a task's earlier runs have learnt: a retry asks only for the calendars that are missing. */
  readonly #learnt = new Map<string, { report: BusyReport; asOfMs: number }>();

  constructor(options: AvailabilityOptions) {
    this.#options = options;
  }

  /** The answer for a caller who waits: a calendar that cannot be read is `unavailable` in it. */
  async answer(question: AvailabilityQuestion): Promise<Outcome<AvailabilityAnswer>> {
    const mirrored = await this.#options.mirror?.busy(question, 'interactive');
    if (mirrored !== undefined) return ok(this.#tellMirrored(question, mirrored));
    const { report, asOfMs } = await this.#options.live.read(question, 'interactive');
    return report.ok ? ok(this.#tell(question, report.value, asOfMs)) : report;
  }

  /** The answer for a task in its `run`th run: fails while a calendar is missing that may yet be read. */
  async answerTask(
    taskId: string,
    question: AvailabilityQuestion,
    run: number,
  ): Promise<Outcome<AvailabilityAnswer>> {
    const learnt = this.#recall(taskId);
    const mirrored =
      learnt === undefined ? await this.#options.mirror?.busy(question, 'background') : undefined;
    if (mirrored !== undefined) return ok(this.#tellMirrored(question, mirrored));
    const missing = learnt?.report.calendars.filter(isWorthRetrying).map(({ id }) => id);
    const { report: read, asOfMs: readAtMs } = await this.#options.live.read(
      missing === undefined ? question : { ...question, calendars: missing },
      'background',
    );
    // The answer is as old as its oldest part.
    const asOfMs = learnt?.asOfMs ?? readAtMs;
    if (!read.ok && (learnt === undefined || run < MOST_RUNS)) return read;
    const report = combine(learnt?.report, read.ok ? read.value : undefined);
    const gap = report.calendars.find(isWorthRetrying);
    if (gap !== undefined && !gap.busy.ok && run < MOST_RUNS) {
      this.#learnt.set(taskId, { report, asOfMs });
      return fail(gap.busy.failure);
    }
    return ok(this.#tell(question, report, asOfMs));
  }

  /** Holds are read last: one that was placed while the provider was read counts. */
  #tell(question: AvailabilityQuestion, report: BusyReport, asOfMs: number): AvailabilityAnswer {
    return answerQuestion(question, report, asOfMs, this.#options.held(question));
  }

  #tellMirrored(
    question: AvailabilityQuestion,
    { report, asOfMs, wasAsked }: MirrorReading,
  ): AvailabilityAnswer {
    const answer = this.#tell(question, report, asOfMs);
    return { ...answer, freshness: { ...answer.freshness, source: wasAsked ? 'live' : 'mirror' } };
  }

  #recall(taskId: string) {
    const learnt = this.#learnt.get(taskId);
    // A task may have been parked meanwhile; what it learnt before is no answer any more.
    return learnt !== undefined && this.#options.now() - learnt.asOfMs < LEARNT_KEPT_MS ? learnt : undefined;
  }

  /** The task has ended: what it has learnt is of no more use. */
  forget(taskId: string): void {
    this.#learnt.delete(taskId);
  }
}

function isWorthRetrying({ busy }: BusyReport['calendars'][number]): boolean {
  return !busy.ok && describeFailure(busy.failure).retryable;
}

/** `earlier` with what `later` says of the calendars that it was asked for again; at least one is there. */
function combine(earlier: BusyReport | undefined, later: BusyReport | undefined): BusyReport {
  if (earlier === undefined || later === undefined) return earlier ?? later ?? { calendars: [] };
  const workingHours = earlier.workingHours ?? later.workingHours;
  return {
    calendars: earlier.calendars.map(
      (reading) => later.calendars.find(({ id }) => id === reading.id) ?? reading,
    ),
    ...(workingHours !== undefined && { workingHours }),
  };
}
