import type { CalendarStore } from './calendar-store.ts';
import type { Dice } from './dice.ts';
import type { CalendarInput, ListedCalendar, PersonInput } from './people.ts';

/** What can be changed of a calendar in a person's list. */
export type ListChanges = Partial<Pick<ListedCalendar, 'selected' | 'hidden' | 'accessRole'>>;

/** The calendars that a person sees, and how the list was before. */
export class CalendarList {
  readonly #versions: (readonly ListedCalendar[])[];
  #oldest = 0;
  readonly #listeners = new Set<() => void>();

  constructor(first: readonly ListedCalendar[]) {
    this.#versions = [first];
  }

  get current(): readonly ListedCalendar[] {
    return this.#versions.at(-1) ?? [];
  }

  /** Rises with every change. */
  get revision(): number {
    return this.#versions.length - 1;
  }

  /** The list as it was at a revision; undefined when that is forgotten, or has not been. */
  at(revision: number): readonly ListedCalendar[] | undefined {
    return revision < this.#oldest ? undefined : this.#versions[revision];
  }

  /** Puts a calendar at the end of the list. */
  add(entry: ListedCalendar): void {
    this.#become([...this.current, entry]);
  }

  /** Takes a calendar off the list. Its events stay, for whoever else has it. */
  remove(gone: ListedCalendar): void {
    this.#become(this.current.filter((entry) => entry !== gone));
  }

  /** Changes how a calendar is listed. */
  change(old: ListedCalendar, changes: ListChanges): void {
    this.#become(this.current.map((entry) => (entry === old ? { ...entry, ...changes } : entry)));
  }

  /** Forgets how the list was until now. */
  forgetChanges(): void {
    this.#versions.push(this.current);
    this.#oldest = this.revision;
  }

  /** Tells `listener` of every change; returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #become(next: readonly ListedCalendar[]): void {
    this.#versions.push(next);
    for (const listener of this.#listeners) listener();
  }
}

/** An entry of a person's list; its calendar is made when there is none of that id yet. */
export function listedCalendar(
  input: CalendarInput,
  {
    provider,
    email,
    name: ownerName,
    timeZone: ownZone,
  }: Pick<PersonInput, 'provider' | 'email' | 'name' | 'timeZone'>,
  { store, dice }: { store: CalendarStore; dice: Dice },
): ListedCalendar {
  const { primary = false, accessRole = 'owner', selected = true, hidden = false } = input;
  const calendar = store.open(input.id ?? calendarId(provider, primary ? email : undefined, dice), {
    name: input.name,
    timeZone: input.timeZone ?? ownZone,
    ownerEmail: email,
    ownerName,
  });
  const { id, name, timeZone } = calendar;
  return { calendar, id, name, timeZone, primary, accessRole, selected, hidden };
}

function calendarId(provider: PersonInput['provider'], primaryOf: string | undefined, chance: Dice): string {
  if (provider === 'google') return primaryOf ?? `c_${chance.text(26)}@group.calendar.google.com`;
  // Outlook's ids tell upper from lower case, are long, and end in base64 padding.
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  return `AQMkAD${chance.text(48, letters)}-_${chance.text(8, letters)}AAA=`;
}
