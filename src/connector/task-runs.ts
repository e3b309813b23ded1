import { availabilityRequestSchema } from '../domain/availability.ts';
import {
  cancelEventRequestSchema,
  createEventRequestSchema,
  updateEventRequestSchema,
} from '../domain/event.ts';
import { ok, type Outcome } from '../domain/failure.ts';
import { cancelHoldRequestSchema, confirmHoldRequestSchema, placeHoldRequestSchema } from '../domain/hold.ts';
import type { Provider } from '../providers/provider.ts';
import type { Account } from './account.ts';
import type { Availability } from './availability.ts';
import { creationKeyOf } from './creation.ts';
import type { RunMode } from './drain.ts';
import type { Lane } from './gate.ts';
import type { Holds } from './holds.ts';
import type { LedgerTask } from './ledger.ts';

/** What carrying tasks out is made of. */
export interface TaskRunsOptions {
  connectorId: string;
  provider: Provider;
  account: Account;
  availability: Availability;
  holds: Holds;
  /** Brings the mirror up to date, the list of calendars included. */
  syncCalendars: (lane: Lane) => Promise<Outcome<object>>;
  /** Closes the connection; what remains to be done for a disconnect follows when its task has ended. */
  beginDisconnect: () => Promise<Outcome<void>>;
}

/** Carries tasks out, one run each: the one place that says what each type does. */
export class TaskRuns {
  readonly #options: TaskRunsOptions;

  constructor(options: TaskRunsOptions) {
    this.#options = options;
  }

  /** Runs a task once; the result is what its caller is told. */
  async run(task: LedgerTask, { isRepeat, isAwaited }: RunMode): Promise<Outcome<object>> {
    const { connectorId, provider, account, availability, holds, syncCalendars, beginDisconnect } =
      this.#options;
    const lane = isAwaited ? 'interactive' : 'background';
    switch (task.type) {
      case 'refresh-token': {
        const refreshed = await account.refresh();
        if (!refreshed.ok) return refreshed;
        return ok({ expiresAt: new Date(refreshed.value.expiresAtMs).toISOString() });
      }
      case 'check-availability': {
        const { question } = availabilityRequestSchema.parse(task.payload);
        return await availability.answerTask(task.id, question, task.attempts + 1);
      }
      case 'create-event': {
        const { draft } = createEventRequestSchema.parse(task.payload);
        const key = await creationKeyOf(connectorId, task.id);
        return await account.use(lane, (access) => provider.createEvent(draft, { key, isRepeat }, access));
      }
      case 'update-event': {
        const { change } = updateEventRequestSchema.parse(task.payload);
        return await account.use(lane, (access) => provider.updateEvent(change, access));
      }
      case 'cancel-event': {
        const { cancellation } = cancelEventRequestSchema.parse(task.payload);
        const { eventId, occurrence } = cancellation;
        const cancelled = await account.use(lane, (access) => provider.cancelEvent(cancellation, access));
        if (!cancelled.ok) return cancelled;
        if (occurrence === undefined) holds.eventCancelled(eventId);
        return ok({ eventId, status: 'cancelled' });
      }
      case 'place-hold': {
        const { request } = placeHoldRequestSchema.parse(task.payload);
        return await holds.place(request, { taskId: task.id, lane, attempts: task.attempts });
      }
      case 'cancel-hold': {
        const { holdId, hasExpired = false } = cancelHoldRequestSchema.parse(task.payload);
        return await holds.cancel(holdId, hasExpired, { taskId: task.id, lane, attempts: task.attempts });
      }
      case 'confirm-hold': {
        const { confirmation } = confirmHoldRequestSchema.parse(task.payload);
        return await holds.confirm(confirmation, { taskId: task.id, lane, attempts: task.attempts });
      }
      case 'sync-calendar': {
        const synced = await syncCalendars(lane);
        return synced.ok ? ok({ ...synced.value }) : synced;
      }
      case 'disconnect': {
        const begun = await beginDisconnect();
        return begun.ok ? ok({ status: 'disconnected' }) : begun;
      }
    }
  }
}
