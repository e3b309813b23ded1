import { Temporal } from 'temporal-polyfill';
import type { EventInput } from './event-input.ts';
import type { Person } from './people.ts';
import type { Sandbox } from './sandbox.ts';

/** The tenant of the seeded company. */
export const SEEDED_TENANT = '3f9c2b7a-6d41-4e0b-8a55-1c7d9e2f4b60';

/** What a world is seeded with. */
export interface SeedOptions {
  /** The week around this moment is filled; the present by default. */
  now?: Date | number | string;
}

/** The people of a seeded world. */
export interface SeededPeople {
  /** Google, Berlin: a primary calendar, a team's and a birthday calendar. */
  readonly ada: Person;
  /** Microsoft work account, New York, with working hours. */
  readonly grace: Person;
  /** A colleague of Grace's, for questions about several schedules. */
  readonly margaret: Person;
  /** Personal Microsoft account, Tokyo. */
  readonly linus: Person;
}

type Week = readonly (Omit<EventInput, 'start' | 'end'> & {
  /** Monday is 0. */
  day: number;
  from?: string;
  to?: string;
  days?: number;
  calendar?: string;
})[];

const ADA: Week = [
  { day: 0, from: '09:30', to: '10:00', summary: 'Team stand-up' },
  { day: 0, from: '14:00', to: '15:30', summary: 'Design review: engine notes', location: 'Room 4' },
  { day: 1, from: '10:00', to: '11:00', summary: 'Interview', isPrivate: true },
  { day: 1, from: '10:30', to: '11:30', summary: 'Vendor call', response: 'accepted' },
  { day: 2, from: '12:00', to: '13:00', summary: 'Lunch (not blocked)', transparency: 'transparent' },
  { day: 2, from: '16:00', to: '17:00', summary: 'Maybe: book club', status: 'tentative' },
  { day: 3, from: '09:00', to: '10:00', summary: 'Sales kick-off', declined: true },
  { day: 3, from: '15:00', to: '18:00', summary: 'Dentist', showAs: 'oof' },
  { day: 4, summary: 'Working from the lake house', allDay: true, showAs: 'workingElsewhere' },
  { day: 5, summary: 'Off', allDay: true, days: 2 },
  { day: 0, from: '11:00', to: '12:00', summary: 'Sprint planning', calendar: 'team' },
  { day: 4, from: '15:00', to: '16:00', summary: 'Retrospective', calendar: 'team' },
  { day: 2, summary: "Charles's birthday", allDay: true, transparency: 'transparent', calendar: 'birthdays' },
];

const GRACE: Week = [
  { day: 0, from: '09:00', to: '09:30', summary: 'Compiler stand-up' },
  { day: 0, from: '13:00', to: '14:00', summary: 'One to one', isPrivate: true },
  {
    day: 1,
    from: '10:00',
    to: '12:00',
    summary: 'Architecture board',
    location: 'Navy Yard 2',
    response: 'accepted',
  },
  {
    day: 1,
    from: '15:00',
    to: '15:30',
    summary: 'Possible: budget',
    showAs: 'tentative',
    response: 'tentative',
  },
  { day: 2, from: '08:30', to: '17:00', summary: 'Working from Arlington', showAs: 'workingElsewhere' },
  { day: 2, from: '11:00', to: '11:45', summary: 'Customer call' },
  { day: 3, from: '12:00', to: '13:00', summary: 'Focus (free)', showAs: 'free' },
  { day: 3, from: '14:00', to: '15:00', summary: 'All-hands', declined: true },
  { day: 4, summary: 'Out of office', allDay: true, showAs: 'oof' },
  { day: 1, from: '17:30', to: '18:30', summary: 'Lecture', calendar: 'Lectures' },
];

const MARGARET: Week = [
  { day: 0, from: '09:00', to: '11:00', summary: 'Flight software review' },
  { day: 3, from: '13:30', to: '14:30', summary: 'Simulation' },
];

const LINUS: Week = [
  { day: 0, from: '10:00', to: '11:00', summary: 'Merge window opens' },
  { day: 1, from: '13:00', to: '13:45', summary: 'Swimming', showAs: 'oof' },
  { day: 1, from: '20:00', to: '21:00', summary: 'Call with Portland', response: 'accepted' },
  { day: 2, from: '09:00', to: '12:00', summary: 'Patch review' },
  { day: 2, from: '15:00', to: '16:00', summary: 'Perhaps: parent-teacher evening', showAs: 'tentative' },
  { day: 3, from: '11:00', to: '12:00', summary: 'Podcast', declined: true },
  { day: 3, from: '12:00', to: '13:00', summary: 'Gym (free)', showAs: 'free' },
  { day: 3, from: '14:00', to: '18:00', summary: 'From the library', showAs: 'workingElsewhere' },
  { day: 4, summary: 'Release day', allDay: true },
  { day: 5, from: '09:00', to: '17:00', summary: 'Diving', calendar: 'Family' },
];

/** Fills the ISO week around `now` with the believable weeks of four people at both providers. */
export function seedWorld(sandbox: Pick<Sandbox, 'people'>, options: SeedOptions = {}): SeededPeople {
  const nowMs = new Date(options.now ?? Date.now()).getTime();
  const ada = sandbox.people.add({
    provider: 'google',
    email: 'ada@example.com',
    name: 'Ada Lovelace',
    timeZone: 'Europe/Berlin',
    calendars: [
      { name: 'ada@example.com', id: 'ada@example.com', primary: true },
      { name: 'Team', id: 'team@group.calendar.google.com', accessRole: 'writer' },
      { name: 'Birthdays', id: 'addressbook#contacts@group.v.calendar.google.com', accessRole: 'reader' },
    ],
  });
  const grace = sandbox.people.add({
    provider: 'microsoft',
    email: 'grace@contoso.example',
    name: 'Grace Hopper',
    timeZone: 'America/New_York',
    tenantId: SEEDED_TENANT,
    workingHours: {
      days: ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'],
      start: '08:30',
      end: '17:00',
    },
    calendars: [{ name: 'Calendar', primary: true }, { name: 'Lectures' }],
  });
  const margaret = sandbox.people.add({
    provider: 'microsoft',
    email: 'margaret@contoso.example',
    name: 'Margaret Hamilton',
    timeZone: 'America/New_York',
    tenantId: SEEDED_TENANT,
  });
  const linus = sandbox.people.add({
    provider: 'microsoft',
    account: 'personal',
    email: 'linus@outlook.example',
    name: 'Linus Pauling',
    timeZone: 'Asia/Tokyo',
    calendars: [{ name: 'Calendar', primary: true }, { name: 'Family' }],
  });
  const idOf = (person: Person, name: string): string =>
    person.calendars.find((entry) => entry.name === name)?.id ?? 'primary';
  fill(ada, ADA, nowMs, (name) => idOf(ada, name === 'team' ? 'Team' : 'Birthdays'));
  fill(grace, GRACE, nowMs, (name) => idOf(grace, name));
  fill(margaret, MARGARET, nowMs, (name) => name);
  fill(linus, LINUS, nowMs, (name) => idOf(linus, name));
  return { ada, grace, margaret, linus };
}

function fill(person: Person, week: Week, nowMs: number, calendarId: (name: string) => string): void {
  const today = Temporal.Instant.fromEpochMilliseconds(nowMs)
    .toZonedDateTimeISO(person.timeZone)
    .toPlainDate();
  const monday = today.subtract({ days: today.dayOfWeek - 1 });
  for (const { day, from, to, days = 1, calendar, ...event } of week) {
    const date = monday.add({ days: day });
    const target = calendar === undefined ? 'primary' : calendarId(calendar);
    if (from === undefined || to === undefined) {
      const start = date.toString();
      person.addEvent(target, { ...event, start, end: date.add({ days }).toString() });
    } else
      person.addEvent(target, {
        ...event,
        start: `${date.toString()}T${from}`,
        end: `${date.toString()}T${to}`,
      });
  }
}
