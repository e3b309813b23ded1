import type { Mark, StoredEvent } from '../calendar-store.ts';
import { badRequest } from './errors.ts';

const TEXT = `'((?:[^']|'')*)'`;
const ID_IS = new RegExp(`^id eq ${TEXT}$`, 'i');
const EXPAND = /^singleValueExtendedProperties\(\$filter=(.+)\)$/i;
const ANY = new RegExp(
  `^singleValueExtendedProperties\\/any\\((\\w+):\\s*(\\w+)\\/id eq ${TEXT} and (\\w+)\\/value eq ${TEXT}\\)$`,
  'i',
);

/** The ids that `$expand=singleValueExtendedProperties($filter=id eq '…')` asks for. */
export function readExpand(text: string | undefined): string[] {
  if (text === undefined) return [];
  const filter = EXPAND.exec(text.trim())?.[1];
  const ids = filter?.split(/ or /i).map((clause) => ID_IS.exec(clause.trim())?.[1]);
  if (ids === undefined || ids.includes(undefined)) {
    throw badRequest('BadRequest', `The $expand '${text}' is not supported.`);
  }
  return ids.map((id) => unquoted(id ?? ''));
}

/** The properties to add to an event for what was expanded; those it does not have are left out. */
export function expanded(event: StoredEvent, ids: readonly string[]): object {
  const found = (event.marks ?? []).filter((mark) => ids.some((id) => isSame(mark.id, id)));
  return found.length === 0 ? {} : { singleValueExtendedProperties: found };
}

/** A test of events from `$filter`: an extended property, `iCalUId` or `subject`. */
export function readFilter(text: string | undefined): (event: StoredEvent) => boolean {
  if (text === undefined) return () => true;
  const any = ANY.exec(text.trim());
  const [, range, first, id = '', second, value = ''] = any ?? [];
  if (any !== null && range === first && range === second) {
    const wanted: Mark = { id: unquoted(id), value: unquoted(value).toLowerCase() };
    return ({ marks = [] }) =>
      marks.some((mark) => isSame(mark.id, wanted.id) && mark.value.toLowerCase() === wanted.value);
  }
  const plain = new RegExp(`^(iCalUId|subject) eq ${TEXT}$`, 'i').exec(text.trim());
  if (plain === null) throw badRequest('BadRequest', `The $filter '${text}' is not supported.`);
  const wanted = unquoted(plain[2] ?? '');
  return plain[1]?.toLowerCase() === 'subject'
    ? (event) => event.summary === wanted
    : (event) => event.iCalUid === wanted;
}

/** Marks with `changes` laid over them. */
export function mergeMarks(marks: readonly Mark[], changes: readonly Mark[]): Mark[] {
  return [...marks.filter(({ id }) => !changes.some((change) => isSame(change.id, id))), ...changes];
}

// Only the name of a property tells upper from lower case; its kind and property set do not.
function isSame(one: string, other: string): boolean {
  return folded(one) === folded(other);
}

function folded(id: string): string {
  const [, head = id, name = ''] = /^(.*? Name )(.*)$/i.exec(id) ?? [];
  return head.toLowerCase() + name;
}

function unquoted(text: string): string {
  return text.replaceAll("''", "'");
}
