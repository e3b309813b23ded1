import * as z from 'zod';
import type { WorkingHours } from '../../domain/availability.ts';
import { fail, type Outcome } from '../../domain/failure.ts';
import type { Account } from '../provider.ts';
import { askAll } from './batch.ts';
import { type Graph, graphPath, type GraphRequest, readAs } from './client.ts';
import { readPages } from './pages.ts';
import { toIanaZone } from './time-zones.ts';
import { lenientWorkingHoursSchema } from './working-hours.ts';

const calendarSchema = z
  .object({
    id: z.string().min(1),
    name: z.string().nullish(),
    isDefaultCalendar: z.boolean().nullish(),
    canEdit: z.boolean().nullish(),
    owner: z.object({ address: z.string().nullish() }).nullish(),
  })
  .transform(({ id, name, isDefaultCalendar, canEdit, owner }): GraphCalendar => {
    const address = owner?.address ?? '';
    return {
      id,
      name: name ?? '',
      isDefault: isDefaultCalendar === true,
      canEdit: canEdit === true,
      ...(address.includes('@') && { ownerAddress: address }),
    };
  });

/** One entry of the person's calendar list. */
export interface GraphCalendar {
  id: string;
  name: string;
  /** True for the one calendar that free/busy lookups by others see. */
  isDefault: boolean;
  canEdit: boolean;
  /** The owner's mail address; another person's for a calendar shared with this one. */
  ownerAddress?: string;
}

const settingsSchema = z
  .object({ timeZone: z.string().nullish(), workingHours: lenientWorkingHoursSchema })
  .transform(({ timeZone, workingHours }): MailboxSettings => {
    const zone = toIanaZone(timeZone ?? '');
    return { ...(zone !== undefined && { timeZone: zone }), ...(workingHours && { workingHours }) };
  });

/** What the mailbox says of its owner. Both are absent when they are not set or cannot be read. */
export interface MailboxSettings {
  /** IANA. */
  timeZone?: string;
  workingHours?: WorkingHours[];
}

const LIST: GraphRequest = {
  method: 'GET',
  path: graphPath(['me', 'calendars'], { $select: 'id,name,isDefaultCalendar,canEdit,owner', $top: '100' }),
  what: 'calendars',
  writes: false,
};

const SETTINGS: GraphRequest = {
  method: 'GET',
  path: graphPath(['me', 'mailboxSettings']),
  what: 'mailboxSettings',
  writes: false,
};

/**
 * Reads, together, the calendars in the person's list (their own, and those of others that they added
 * to it) and the settings of their mailbox. Each may fail without the other: the settings need a
 * permission of their own.
 */
export async function readMailbox(
  graph: Graph,
): Promise<{ calendars: Outcome<GraphCalendar[]>; settings: Outcome<MailboxSettings> }> {
  const missing = fail({ kind: 'malformed', at: 'batch' });
  const [list = missing, settings = missing] = await askAll(graph, [LIST, SETTINGS]);
  const [calendars = missing] = await readPages(graph, [{ request: LIST, answer: list }], calendarSchema);
  return { calendars, settings: readAs(settings, settingsSchema, SETTINGS.what) };
}

/** Whether an address is the person's own: the mailbox names one, and so did the sign-in. */
export function isOwnAddress(
  address: string,
  calendars: readonly GraphCalendar[],
  account: Account,
): boolean {
  const ofMailbox = calendars.find(({ isDefault }) => isDefault)?.ownerAddress;
  return [ofMailbox, account.email].some((own) => own?.toLowerCase() === address.toLowerCase());
}
