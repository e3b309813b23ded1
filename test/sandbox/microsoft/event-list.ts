import { jsonAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { ListedCalendar, Person } from '../people.ts';
import type { World } from '../world.ts';
import { ordered } from './calendar-view.ts';
import { eventResource } from './event-resource.ts';
import { expanded, readExpand, readFilter } from './extended-properties.ts';
import { pageOf, readOptions, readPreferences, select } from './odata.ts';

/** GET …/events: single events and series masters, page by page. Deleted ones are gone. */
export function listEvents(world: World, ask: Ask, person: Person, entry: ListedCalendar): Answer {
  const options = readOptions(ask, ['$top', '$skip', '$select', '$orderby', '$filter', '$expand']);
  const preferences = readPreferences(ask);
  const matches = readFilter(options.text('$filter'));
  const expand = readExpand(options.text('$expand'));
  const at = {
    top: options.count('$top', preferences.pageSize ?? 10, { least: 1, most: 1000 }),
    skip: options.count('$skip', 0, { least: 0, most: 999_999 }),
  };
  const found = [...entry.calendar.events.values()]
    .filter(({ status, occurrence }) => status !== 'cancelled' && occurrence === undefined)
    .filter((event) => matches(event));
  const all = ordered(found, options.text('$orderby'), person);
  const { value, ...more } = pageOf(all, ask, world.origin(), at);
  return jsonAnswer(
    200,
    {
      '@odata.context': `${world.origin()}/v1.0/$metadata#users('${person.id}')/events`,
      ...more,
      value: value.map((event) => ({
        ...select(eventResource(event, entry, person, preferences), options.text('$select'), 'event'),
        ...expanded(event, expand),
      })),
    },
    { headers: preferences.applied },
  );
}
