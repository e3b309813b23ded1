import type { Provider } from './people.ts';

/** One change that a client really made to a calendar. */
export interface Effect {
  readonly at: string;
  readonly deed: 'created' | 'updated' | 'deleted';
  readonly provider: Provider;
  readonly person: string;
  readonly calendarId: string;
  /** The event's id inside the sandbox: the same however Graph spells it. */
  readonly eventId: string;
  /** What the client calls the event by: the id it chose (Google), the transactionId (Microsoft). */
  readonly key?: string;
  /** How many invitations, updates or cancellations were mailed. */
  readonly mails: number;
}

/** A change before it is noted: the log adds the time. */
export type NewEffect = Omit<Effect, 'at'>;

/** How many events were created under each logical key, wherever that was. */
export function creations(effects: readonly Effect[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { deed, key } of effects) {
    if (deed === 'created' && key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}
