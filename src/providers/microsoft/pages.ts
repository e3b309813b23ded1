import * as z from 'zod';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import { askAll } from './batch.ts';
import { type Graph, type GraphRequest, ownPath, readAs } from './client.ts';

/** Where a list ends that does not end by itself. */
const MOST_PAGES = 200;

const pageSchema = z.object({ value: z.array(z.unknown()), '@odata.nextLink': z.string().optional() });

/** A list as it begins: the request for its first page, and what that brought. */
export interface FirstPage {
  request: GraphRequest;
  answer: Outcome<unknown>;
}

/**
 * Reads lists to their ends, the next pages of several lists in one batch. A list is whole or it is a
 * failure, never a part: `malformed` when a page or an item is not as promised, when a link leads
 * elsewhere or back, or when there are too many pages.
 *
 * @returns for each list, its items in order.
 */
export async function readPages<T>(
  graph: Graph,
  firsts: readonly FirstPage[],
  itemSchema: z.ZodType<T>,
): Promise<Outcome<T[]>[]> {
  const lists = firsts.map((first) => ({ ...first, items: [] as T[], paths: new Set([first.request.path]) }));
  const ends = new Map<(typeof lists)[number], Outcome<T[]>>();
  let open = lists;
  for (let page = 1; ; page++) {
    for (const list of open) {
      const { request, items, paths } = list;
      const read = readAs(list.answer, pageSchema.extend({ value: z.array(itemSchema) }), request.what);
      if (!read.ok) {
        ends.set(list, read);
        continue;
      }
      items.push(...read.value.value);
      const link = read.value['@odata.nextLink'];
      const path = link === undefined ? undefined : ownPath(graph, link);
      if (link === undefined) ends.set(list, ok(items));
      else if (path === undefined || paths.has(path) || page === MOST_PAGES)
        ends.set(list, fail({ kind: 'malformed', at: `${request.what}.@odata.nextLink` }));
      else {
        paths.add(path);
        list.request = { ...request, path };
      }
    }
    open = open.filter((list) => !ends.has(list));
    if (open.length === 0) break;
    const answers = await askAll(
      graph,
      open.map(({ request }) => request),
    );
    for (const [index, list] of open.entries()) {
      list.answer = answers[index] ?? fail({ kind: 'malformed', at: list.request.what });
    }
  }
  return lists.map((list) => ends.get(list) ?? fail({ kind: 'malformed', at: list.request.what }));
}
