import { type Failure, fail, ok, type Outcome } from '../domain/failure.ts';
import type { Interval } from '../domain/interval.ts';
import {
  answerMeetingTimes,
  availabilityBehind,
  type MeetingTimesAnswer,
  type MeetingTimesQuestion,
} from '../domain/meeting-times.ts';
import type { Provider } from '../providers/provider.ts';
import type { Account } from './account.ts';
import type { Availability } from './availability.ts';

/** What meeting times are made of. */
export interface MeetingTimesOptions {
  connectorId: string;
  account: Account;
  availability: Availability;
  provider: Provider;
  now: () => number;
  /** Told of a failure that cost the provider's choice but not the answer. */
  onFailure: (failure: Failure) => void;
}

/** Answers when a meeting would suit the account. */
export class MeetingTimes {
  readonly #options: MeetingTimesOptions;

  constructor(options: MeetingTimesOptions) {
    this.#options = options;
  }

  /**
   * The busy times are read first, and what is told is free in them: a provider's choice, which is a
   * hint, no less than one of ours. Without any time to choose from the provider is not asked. Fails
   * where availability does; what keeps the provider from choosing costs only its choice.
   */
  async answer(question: MeetingTimesQuestion): Promise<Outcome<MeetingTimesAnswer>> {
    const { connectorId, availability, now } = this.#options;
    const startedAtMs = now();
    const read = await availability.answer(availabilityBehind(question));
    if (!read.ok) return read;
    const answers = [{ connectorId, answer: read.value }];
    const computed = answerMeetingTimes(question, answers, { startedAtMs, nowMs: now() });
    if (computed.suggestions.length === 0) return ok(computed);
    const suggested = await this.#suggested(question);
    if (!suggested.ok) return suggested;
    if (suggested.value === undefined) return ok(computed);
    // The clock has gone on: what was still to come may be past.
    return ok(
      answerMeetingTimes(question, answers, { startedAtMs, nowMs: now(), suggested: suggested.value }),
    );
  }

  /** The provider's choice; undefined where it has none, or cannot say what is asked. */
  async #suggested({
    range,
    durationMs,
    calendars,
    workingHours,
  }: MeetingTimesQuestion): Promise<Outcome<Interval[] | undefined>> {
    const { account, provider, now, onFailure } = this.#options;
    // A provider knows the person's own hours, and chooses by the calendar that it takes for theirs.
    const isSayable = calendars === undefined && (workingHours === undefined || workingHours === 'ignore');
    if (provider.suggestTimes === undefined || !isSayable) return ok(undefined);
    const suggested = await account.use(
      'interactive',
      async (access) =>
        (await provider.suggestTimes?.(
          {
            range: { startMs: Math.max(range.startMs, now()), endMs: range.endMs },
            durationMs,
            withinWorkingHours: workingHours === undefined,
          },
          access,
        )) ?? ok(undefined),
    );
    if (suggested.ok) return suggested;
    switch (suggested.failure.kind) {
      // The connection itself has been found wanting.
      case 'token-rejected':
      case 'grant-revoked':
      case 'consent-missing':
      case 'misconfigured':
        return fail(suggested.failure);
      case 'rejected':
        onFailure(suggested.failure);
        return ok(undefined);
      case 'throttled':
      case 'unavailable':
      case 'malformed':
      case 'cursor-expired':
      case 'not-found':
      case 'conflict':
      case 'unknown-busy':
      case 'hold-over':
      case 'mismatch':
      case 'changed':
      case 'unsupported':
        return ok(undefined);
    }
  }
}
