import type { Calendar, StoredEvent } from '../calendar-store.ts';
import type { Change } from '../journal.ts';
import type { Person } from '../people.ts';
import type { Pushes } from '../pushes.ts';
import { etagOf, eventId } from './event-resource.ts';

/** What a subscription can be told of. */
export const CHANGE_TYPES = ['created', 'updated', 'deleted'] as const;
export type ChangeType = (typeof CHANGE_TYPES)[number];

/** What Graph tells of a subscription itself. */
export const LIFECYCLE_EVENTS = ['reauthorizationRequired', 'subscriptionRemoved', 'missed'] as const;
export type LifecycleEvent = (typeof LIFECYCLE_EVENTS)[number];

/** A client's wish to be told of changes in one calendar. */
export interface Subscription {
  readonly id: string;
  readonly person: Person;
  readonly applicationId: string;
  /** As the client wrote them. */
  readonly resource: string;
  readonly changeType: string;
  readonly calendarId: string;
  readonly changeTypes: ReadonlySet<string>;
  readonly notificationUrl: string;
  readonly lifecycleNotificationUrl: string | undefined;
  readonly clientState: string | undefined;
  readonly latestSupportedTlsVersion: string;
  readonly immutableIds: boolean;
  expiresAtMs: number;
  /** It wants to be reauthorized, and tells nothing until then. */
  isPaused: boolean;
}

/** How subscriptions behave where documentation and reports disagree. May be changed while the sandbox runs. */
export interface SubscriptionHabits {
  /** What makes a second one a duplicate, beside its change types and resource: the address too, or nothing else. */
  duplicates: 'same-url' | 'same-resource';
}

interface Notification {
  readonly subscriptionId: string;
  readonly [name: string]: unknown;
}

/** All subscriptions, and what they tell. */
export class Subscriptions {
  readonly habits: SubscriptionHabits = { duplicates: 'same-url' };
  readonly #byId = new Map<string, Subscription>();
  /** What is still being gathered for one person at one address. */
  readonly #gathering = new Map<string, Notification[]>();
  readonly #pushes: Pushes;
  readonly #now: () => number;

  constructor(pushes: Pushes, now: () => number) {
    this.#pushes = pushes;
    this.#now = now;
  }

  add(subscription: Subscription): void {
    this.#byId.set(subscription.id, subscription);
  }

  remove(id: string): void {
    this.#byId.delete(id);
  }

  /** Those of a person that have not expired. */
  of(person: Person): Subscription[] {
    return this.#alive().filter((one) => one.person === person);
  }

  /** Another that wants the same, if there is one. */
  duplicateOf(wanted: Subscription): Subscription | undefined {
    const types = (one: Subscription): string => [...one.changeTypes].toSorted().join();
    return this.of(wanted.person).find(
      (one) =>
        one.applicationId === wanted.applicationId &&
        one.calendarId === wanted.calendarId &&
        types(one) === types(wanted) &&
        (this.habits.duplicates === 'same-resource' || one.notificationUrl === wanted.notificationUrl),
    );
  }

  /** Tells whoever wants to know of changes that one act made. */
  tell(calendar: Calendar, changes: readonly Change[]): void {
    for (const subscription of this.#alive()) {
      if (subscription.calendarId !== calendar.id || subscription.isPaused) continue;
      for (const { event, changeType } of changes.flatMap((change) => wordOf(change, changes))) {
        if (!subscription.changeTypes.has(changeType)) continue;
        this.#gather(subscription, subscription.notificationUrl, changeType, {
          changeType,
          ...resourceOf(subscription, event),
        });
      }
    }
  }

  /**
   * Something happens to a subscription (by its id) or to all of a person, and Graph says so where it was given an
   * address for that. `reauthorizationRequired` pauses it, `subscriptionRemoved` ends it, `missed` is only said.
   */
  lifecycle(whose: Person | string, event: LifecycleEvent): void {
    const concerned = this.#alive().filter(({ id, person }) => whose === id || whose === person);
    if (concerned.length === 0) throw new Error('there is no such subscription');
    for (const subscription of concerned) {
      if (event === 'reauthorizationRequired') subscription.isPaused = true;
      if (event === 'subscriptionRemoved') this.remove(subscription.id);
      const url = subscription.lifecycleNotificationUrl;
      if (url !== undefined) this.#gather(subscription, url, event, { lifecycleEvent: event });
    }
  }

  #alive(): Subscription[] {
    const nowMs = this.#now();
    for (const { id, expiresAtMs } of this.#byId.values()) {
      if (expiresAtMs <= nowMs) this.#byId.delete(id);
    }
    return [...this.#byId.values()];
  }

  // What happens in one go travels together: several events, several subscriptions.
  #gather(subscription: Subscription, url: string, kind: string, what: object): void {
    const { id, person, clientState, expiresAtMs } = subscription;
    const notification = {
      subscriptionId: id,
      subscriptionExpirationDateTime: new Date(expiresAtMs).toISOString(),
      ...what,
      clientState: clientState ?? null,
      tenantId: person.tenantId,
    };
    const key = `${person.id} ${url}`;
    const started = this.#gathering.get(key);
    if (started !== undefined) {
      started.push(notification);
      return;
    }
    const value: Notification[] = [notification];
    this.#gathering.set(key, value);
    queueMicrotask(() => this.#gathering.delete(key));
    this.#pushes.send({
      provider: 'microsoft',
      person: person.email,
      kind,
      url,
      headers: { 'content-type': 'application/json; charset=utf-8' },
      // Read when it is sent, which is later than the last that joins it.
      get watchId() {
        return [...new Set(value.map(({ subscriptionId }) => subscriptionId))].join(',');
      },
      get body() {
        return JSON.stringify({ value });
      },
    });
  }
}

// With the master of a series its occurrences go without a word; those that were forgotten have changed with it.
function wordOf(
  { before, after }: Change,
  changes: readonly Change[],
): { event: StoredEvent; changeType: ChangeType }[] {
  if (after === undefined) return [];
  const isGone = after.status === 'cancelled';
  const masterId = after.occurrence?.masterId;
  if (isGone && changes.some(({ id }) => id === masterId)) return [];
  if (isGone) return [{ event: after, changeType: 'deleted' }];
  const isNew = masterId === undefined && before === undefined;
  return [{ event: after, changeType: isNew ? 'created' : 'updated' }];
}

function resourceOf({ person, calendarId, immutableIds }: Subscription, event: StoredEvent): object {
  const entry = person.calendar(calendarId);
  if (entry === undefined) throw new Error(`${person.email} has no calendar ${calendarId}`);
  const id = eventId(event, entry, immutableIds);
  const resource = `Users/${person.id}/Events/${id}`;
  const resourceData = {
    '@odata.type': '#Microsoft.Graph.Event',
    '@odata.id': resource,
    '@odata.etag': etagOf(event),
    id,
  };
  return { resource, resourceData };
}
