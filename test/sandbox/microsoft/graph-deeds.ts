import { z } from 'zod';
import type { Person } from '../people.ts';
import type { World } from '../world.ts';
import { LIFECYCLE_EVENTS } from './subscriptions.ts';

/** What can be done to Graph on request, over HTTP. */
export const graphDeeds = [
  z.strictObject({
    do: z.literal('expire-delta-links'),
    person: z.string(),
    status: z.union([z.literal(410), z.literal(404), z.literal(400)]).exactOptional(),
    code: z.enum(['resyncRequired', 'syncStateNotFound']).exactOptional(),
  }),
  z.strictObject({
    do: z.literal('lifecycle'),
    person: z.string(),
    /** Left out: all of the person. */
    subscription: z.string().exactOptional(),
    event: z.enum(LIFECYCLE_EVENTS),
  }),
] as const;

/** Habits of Graph to change. */
export const NewGraphHabits = z.strictObject({
  deltas: z
    .strictObject({
      twice: z.number().min(0).max(1).exactOptional(),
      strangers: z.number().min(0).max(1).exactOptional(),
      goneOccurrences: z.enum(['told', 'untold']).exactOptional(),
    })
    .default({}),
  subscriptions: z
    .strictObject({ duplicates: z.enum(['same-url', 'same-resource']).exactOptional() })
    .default({}),
});

/** A deed done to Graph. */
export type GraphDeed = z.infer<(typeof graphDeeds)[number]>;

/** Changes habits; those left out stay. */
export function setGraphHabits(
  { deltas, subscriptions }: World['graph'],
  habits: z.infer<typeof NewGraphHabits>,
): object {
  return {
    deltas: Object.assign(deltas.habits, habits.deltas),
    subscriptions: Object.assign(subscriptions.habits, habits.subscriptions),
  };
}

/** Does it to a person. */
export function doGraphDeed(graph: World['graph'], person: Person, deed: GraphDeed): void {
  switch (deed.do) {
    case 'expire-delta-links': {
      const { do: _do, person: _person, ...expiry } = deed;
      graph.deltas.expire(person, expiry);
      break;
    }
    case 'lifecycle':
      graph.subscriptions.lifecycle(deed.subscription ?? person, deed.event);
      break;
  }
}
