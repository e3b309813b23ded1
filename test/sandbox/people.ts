import { randomUUID } from 'node:crypto';
import { CalendarList, listedCalendar } from './calendar-list.ts';
import type { ListChanges } from './calendar-list.ts';
import type { Calendar, CalendarStore, StoredEvent } from './calendar-store.ts';
import type { Dice } from './dice.ts';
import type { EventChanges, EventInput } from './event-input.ts';
import type { Grants } from './grants.ts';
import { addEvent, changeEvent, occurrenceOf, removeEvent } from './person-edits.ts';

/** The two providers. */
export type Provider = 'google' | 'microsoft';

/** What a person may do with a calendar, in Google's words. */
export type AccessRole = 'freeBusyReader' | 'reader' | 'writer' | 'owner';

/** The tenant that all personal Microsoft accounts belong to. */
export const PERSONAL_TENANT = '9188040d-6c67-4c5b-b112-36a304b66dad';

/** Working hours as the mailbox states them: local times of the days, in `timeZone` or the person's own. */
export interface WorkingHours {
  /** Lower-case English day names. */
  days: string[];
  /** `HH:MM`. */
  start: string;
  end: string;
  timeZone?: string;
  /** Graph tells the zone by its rules under a name that means nothing, as for mailboxes set up by old clients. */
  customTimeZone?: boolean;
}

/** A calendar to give to a new person. An id that exists already puts that same calendar into the list. */
export interface CalendarInput {
  id?: string;
  name: string;
  timeZone?: string;
  primary?: boolean;
  accessRole?: AccessRole;
  selected?: boolean;
  hidden?: boolean;
}

/** A new person. */
export interface PersonInput {
  provider: Provider;
  /** Microsoft only: a work or school account (the default) or a personal one. */
  account?: 'work' | 'personal';
  email: string;
  name: string;
  /** IANA name. */
  timeZone: string;
  /** Microsoft work accounts; one tenant for all who name none. */
  tenantId?: string;
  workingHours?: WorkingHours;
  /** A primary calendar is added when none is marked so. */
  calendars?: CalendarInput[];
  accessTokenLifetimeSeconds?: number;
  /** `as-real` by default; `rotate-strictly`: each refresh replaces the token, and the old one is dead. */
  refreshTokens?: 'as-real' | 'rotate-strictly';
  /** How Graph names the mailbox's zone: `windows` by default. */
  timeZoneNames?: 'windows' | 'iana';
  adminConsentRequired?: boolean;
  /**
   * What Graph answers when a transactionId comes again with the same content: the event that is there (201, the
   * default), or 409 ErrorDuplicateTransactionId. With other content it is always the 409.
   */
  repeatedTransactionId?: 'existing' | 'conflict';
}

/** What became of a transactionId: the event that was made, and the request that made it. */
export interface Transaction {
  readonly calendarId: string;
  readonly eventId: string;
  readonly content: string;
}

/** A calendar in a person's list. */
export interface ListedCalendar {
  readonly calendar: Calendar;
  readonly id: string;
  readonly name: string;
  readonly timeZone: string;
  readonly primary: boolean;
  readonly accessRole: AccessRole;
  readonly selected: boolean;
  readonly hidden: boolean;
}

/** A claims challenge that a person's Microsoft tokens stand under. */
export interface ClaimsChallenge {
  /** The JSON that the client must send back as `claims`. */
  readonly claims: string;
  /** Whether only a new sign-in answers it (a refresh then fails with interaction_required). */
  readonly interactive: boolean;
}

const DEFAULT_TENANT = '5d1b6b0e-3f3c-4f0e-9d0a-7f6c1a2b3c4d';

/** Someone with an account and calendars at one provider. */
export class Person {
  readonly provider: Provider;
  readonly account: 'work' | 'personal';
  /** Google's `sub`, Microsoft's `oid`. */
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly timeZone: string;
  readonly tenantId: string;
  readonly workingHours: WorkingHours | undefined;
  /** The calendar list: `onChange` hears of its changes. */
  readonly list: CalendarList;
  readonly refreshTokens: 'as-real' | 'rotate-strictly';
  readonly timeZoneNames: 'windows' | 'iana';
  accessTokenLifetimeSeconds: number | undefined;
  /** Microsoft: sign-in ends with AADSTS90094 until an administrator consented for the tenant. */
  adminConsentRequired: boolean;
  /** Calendars that answer free/busy with an error, and its reason. */
  readonly restrictions = new Map<string, string>();
  claimsChallenge: ClaimsChallenge | undefined;
  repeatedTransactionId: 'existing' | 'conflict';
  /** Microsoft: the transactionIds that the mailbox has seen. */
  readonly transactions = new Map<string, Transaction>();
  readonly #store: CalendarStore;
  readonly #grants: Grants;
  readonly #dice: Dice;

  constructor(input: PersonInput, rooms: { store: CalendarStore; grants: Grants; dice: Dice }) {
    this.#store = rooms.store;
    this.#grants = rooms.grants;
    this.#dice = rooms.dice;
    this.provider = input.provider;
    this.account = input.account ?? 'work';
    this.email = input.email;
    this.name = input.name;
    this.timeZone = input.timeZone;
    this.tenantId = this.account === 'personal' ? PERSONAL_TENANT : (input.tenantId ?? DEFAULT_TENANT);
    this.id = this.#freshId();
    this.workingHours = input.workingHours;
    this.refreshTokens = input.refreshTokens ?? 'as-real';
    this.timeZoneNames = input.timeZoneNames ?? 'windows';
    this.accessTokenLifetimeSeconds = input.accessTokenLifetimeSeconds;
    this.adminConsentRequired = input.adminConsentRequired ?? false;
    this.repeatedTransactionId = input.repeatedTransactionId ?? 'existing';
    const wanted = input.calendars ?? [];
    const primaryName = input.provider === 'google' ? input.email : 'Calendar';
    const all = wanted.some(({ primary }) => primary === true)
      ? wanted
      : [{ name: primaryName, primary: true }, ...wanted];
    this.list = new CalendarList(all.map((calendar) => listedCalendar(calendar, this, rooms)));
  }

  /** The calendars of the list as it is now. */
  get calendars(): readonly ListedCalendar[] {
    return this.list.current;
  }

  /** The primary calendar, or the one of that id. Undefined when the list has none such. */
  calendar(id: string): ListedCalendar | undefined {
    return this.calendars.find((entry) => (id === 'primary' ? entry.primary : entry.id === id));
  }

  /** Puts a calendar into the list. */
  addCalendar(input: CalendarInput): ListedCalendar {
    const entry = listedCalendar(input, this, { store: this.#store, dice: this.#dice });
    if (this.calendar(entry.id) !== undefined) throw new Error(`${entry.id} is in the list already`);
    this.list.add(entry);
    return entry;
  }

  /** Takes a calendar off the list: from now on the person has no such calendar. */
  removeCalendar(calendarId: string): void {
    this.list.remove(this.#at(calendarId));
  }

  /** Changes how a calendar is listed, or what the person may do with it. */
  changeCalendar(calendarId: string, changes: ListChanges): void {
    this.list.change(this.#at(calendarId), changes);
  }

  /** Puts an event into one of the person's calendars. */
  addEvent(calendarId: string, input: EventInput): StoredEvent {
    return addEvent(this.#store, this.#at(calendarId), this.provider, input);
  }

  /** Changes an event; by its own id, one occurrence of a series. */
  changeEvent(calendarId: string, eventId: string, changes: EventChanges): StoredEvent {
    return changeEvent(this.#store, this.#at(calendarId), eventId, changes);
  }

  /** Deletes an event, a whole series, or by its own id one occurrence. */
  removeEvent(calendarId: string, eventId: string): StoredEvent {
    return removeEvent(this.#store, this.#at(calendarId), eventId);
  }

  /**
   * Changes the occurrence of a series that would start at `original`: RFC 3339, a local time of the series' zone,
   * or a date where it lasts whole days.
   */
  moveOccurrence(calendarId: string, seriesId: string, original: string, changes: EventChanges): StoredEvent {
    const { id } = occurrenceOf(this.#at(calendarId), seriesId, original);
    return this.changeEvent(calendarId, id, changes);
  }

  /** Takes the occurrence out of a series that would start at `original`. */
  cancelOccurrence(calendarId: string, seriesId: string, original: string): StoredEvent {
    return this.removeEvent(calendarId, occurrenceOf(this.#at(calendarId), seriesId, original).id);
  }

  /** Every access token out there is answered with 401 from now on. */
  expireAccessTokens(): void {
    this.#grants.expireAccess(this);
  }

  /** The person withdraws every consent: refreshing fails with invalid_grant. */
  revokeGrant(): void {
    this.#grants.revoke(this);
  }

  /** How long access tokens live that are given out from now on. */
  setAccessTokenLifetime(seconds: number): void {
    this.accessTokenLifetimeSeconds = seconds;
  }

  /**
   * Microsoft: Graph answers 401 with a claims challenge to every token of a client that declared `cp1`,
   * until the challenge is answered: by a new sign-in, or with `interactive: false` by a refresh with claims.
   */
  challengeClaims(options: { interactive?: boolean } = {}): void {
    const claims = JSON.stringify({
      access_token: {
        nbf: { essential: true, value: String(Math.floor(Date.now() / 1000)) },
        cid: randomUUID(),
      },
    });
    this.claimsChallenge = { claims, interactive: options.interactive ?? true };
    this.#grants.challenge(this);
  }

  /** Free/busy answers this calendar with an error of that reason; an empty reason lifts it. */
  restrictCalendar(calendarId: string, reason: string): void {
    const id = this.calendar(calendarId)?.id ?? calendarId;
    if (reason === '') this.restrictions.delete(id);
    else this.restrictions.set(id, reason);
  }

  toJSON(): object {
    const { provider, account, id, email, name, timeZone, tenantId } = this;
    const calendars = this.calendars.map((entry) => ({
      id: entry.id,
      name: entry.name,
      primary: entry.primary,
      events: [...entry.calendar.events.values()],
    }));
    const who = { provider, id, email, name, timeZone };
    return provider === 'google' ? { ...who, calendars } : { ...who, account, tenantId, calendars };
  }

  #at(calendarId: string): ListedCalendar {
    const entry = this.calendar(calendarId);
    if (entry === undefined) throw new Error(`${this.email} has no calendar ${calendarId}`);
    return entry;
  }

  #freshId(): string {
    const uuid = randomUUID();
    if (this.provider === 'google')
      return `1${BigInt(`0x${uuid.replaceAll('-', '')}`)
        .toString()
        .slice(0, 20)}`;
    // Personal accounts have an object id made of zeroes and a 64-bit account number.
    return this.account === 'personal' ? `00000000-0000-0000-${uuid.slice(19)}` : uuid;
  }
}

/** Everyone with an account. */
export class People {
  readonly #byEmail = new Map<string, Person>();
  readonly #rooms: { store: CalendarStore; grants: Grants; dice: Dice };

  constructor(rooms: { store: CalendarStore; grants: Grants; dice: Dice }) {
    this.#rooms = rooms;
  }

  /** Adds a person; an email address may be used once at each provider. */
  add(input: PersonInput): Person {
    const key = `${input.provider} ${input.email.toLowerCase()}`;
    if (this.#byEmail.has(key)) throw new Error(`${input.email} has an account already`);
    const person = new Person(input, this.#rooms);
    this.#byEmail.set(key, person);
    return person;
  }

  /** The person of that address, at either provider or at the one named. */
  get(email: string, provider?: Provider): Person | undefined {
    const providers: Provider[] = provider === undefined ? ['google', 'microsoft'] : [provider];
    return providers
      .map((one) => this.#byEmail.get(`${one} ${email.toLowerCase()}`))
      .find((one) => one !== undefined);
  }

  /** Everyone at a provider, in the order they were added. */
  at(provider: Provider): Person[] {
    return this.all().filter((person) => person.provider === provider);
  }

  all(): Person[] {
    return [...this.#byEmail.values()];
  }
}
