import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Stretch } from '../calendar-store.ts';
import { reachesBack } from '../journal.ts';
import type { ListedCalendar } from '../people.ts';
import { badRequest, fullSyncRequired } from './errors.ts';

const Token = z.strictObject({
  of: z.string(),
  at: z.int(),
  same: z.string(),
  from: z.number().nullable(),
  to: z.number().nullable(),
});

/** Where an earlier reading came to: the calendar's revision, and the window in which series were expanded. */
export interface Since {
  readonly revision: number;
  readonly window: Stretch;
}

/** A token for what changes from this state of the calendar on; `same` says what the next reading must ask for too. */
export function writeSyncToken({ calendar }: ListedCalendar, window: Stretch, same: string): string {
  const finite = (ms: number): number | null => (Number.isFinite(ms) ? ms : null);
  return encode({
    of: digest(calendar.id),
    at: calendar.revision,
    same: digest(same),
    from: finite(window.startMs),
    to: finite(window.endMs),
  });
}

/** What a token means. One that is unknown, of another calendar or too old calls for a full sync. */
export function readSyncToken(text: string, { calendar }: ListedCalendar, same: string): Since {
  const token = decode(text);
  if (token?.of !== digest(calendar.id) || !reachesBack(calendar, token.at)) throw fullSyncRequired();
  // Google calls the outcome undefined, which no client should depend on.
  if (token.same !== digest(same)) {
    throw badRequest('invalid', 'Other parameters than those of the first sync.', 'syncToken');
  }
  const startMs = token.from ?? Number.NEGATIVE_INFINITY;
  const endMs = token.to ?? Number.POSITIVE_INFINITY;
  return { revision: token.at, window: { startMs, endMs } };
}

/** A token for a list that is no calendar. */
export function writeListToken(of: string, revision: number): string {
  return encode({ of: digest(of), at: revision, same: '', from: null, to: null });
}

/** The revision that such a token means, undefined when it is none of that list. */
export function readListToken(text: string, of: string): number | undefined {
  const token = decode(text);
  return token?.of === digest(of) ? token.at : undefined;
}

function encode(token: z.infer<typeof Token>): string {
  return `${Buffer.from(JSON.stringify(token)).toString('base64url')}=`;
}

function decode(text: string): z.infer<typeof Token> | undefined {
  try {
    return Token.safeParse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
