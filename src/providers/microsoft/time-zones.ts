import windowsZones from 'cldr-core/supplemental/windowsZones.json';
import { Temporal } from 'temporal-polyfill';
import * as z from 'zod';
import { isTimeZone, parseInstant } from '../../domain/time-zone.ts';

const MAP_ZONES = windowsZones.supplemental.windowsZones.mapTimezones.map(
  ({ mapZone: { _territory: territory, _other: windows, _type: iana } }) => ({ territory, windows, iana }),
);

/** Windows zone name, lower case → IANA zone: Unicode CLDR's choice for the world (territory 001). */
const IANA_BY_WINDOWS_NAME = new Map(
  MAP_ZONES.filter(({ territory }) => territory === '001').map(({ windows, iana }) => [
    windows.toLowerCase(),
    iana,
  ]),
);

/** IANA zone, in any territory → Windows zone name. */
const WINDOWS_NAME_BY_IANA = new Map(
  MAP_ZONES.flatMap(({ windows, iana }) =>
    iana
      .split(' ')
      .filter((zone) => zone !== '')
      .map((zone): [string, string] => [zone, windows]),
  ),
);

/**
 * The IANA zone of a zone name as Outlook writes them: a Windows name, an IANA name, or one of
 * Exchange's own `tzone://Microsoft/…`. Undefined for any other.
 */
export function toIanaZone(name: string): string | undefined {
  const trimmed = name.trim();
  if (isTimeZone(trimmed)) return trimmed;
  if (trimmed.toLowerCase() === 'tzone://microsoft/utc') return 'UTC';
  return IANA_BY_WINDOWS_NAME.get(trimmed.toLowerCase());
}

/**
 * The Windows name of an IANA zone, under whichever of its names; undefined when Windows has no such
 * zone. Graph takes every Windows name, but IANA names only from a list of its own (graph docs:
 * dateTimeTimeZone).
 */
export function toWindowsZone(timeZone: string): string | undefined {
  const exact = WINDOWS_NAME_BY_IANA.get(timeZone);
  if (exact !== undefined || !isTimeZone(timeZone)) return exact;
  // CLDR keeps old names, such as Asia/Calcutta: compared as zones, all names of one are equal.
  const zoned = Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(timeZone);
  for (const [zone, windows] of WINDOWS_NAME_BY_IANA) {
    if (isTimeZone(zone) && zoned.equals(zoned.withTimeZone(zone))) return windows;
  }
  return undefined;
}

/** Graph's timeZoneBase, or its customTimeZone with a `bias`. */
export const zoneSchema = z.object({ name: z.string().nullish(), bias: z.number().nullish() });

/**
 * The IANA zone of a zone with rules of its own. A name that is known wins; else its standard time
 * all year round, as a fixed offset: its summer time is lost. Undefined when there is no such zone,
 * which is so for offsets of no whole hours.
 *
 * `bias` is in minutes, UTC minus local time, as Windows and Exchange count it and as the samples of
 * Graph's documentation have it (480 for Pacific time); the description of the property there says
 * the opposite.
 */
export function zoneOf({ name, bias }: z.infer<typeof zoneSchema>): string | undefined {
  const named = name === undefined || name === null ? undefined : toIanaZone(name);
  if (named !== undefined || bias === undefined || bias === null) return named;
  if (bias === 0) return 'UTC';
  // The sign of Etc/GMT zones is that of the bias: Etc/GMT+8 is eight hours behind UTC.
  const zone = `Etc/GMT${bias > 0 ? '+' : '-'}${Math.abs(bias) / 60}`;
  return isTimeZone(zone) ? zone : undefined;
}

/** Graph's dateTimeTimeZone: a local time, and the zone it is local to (we ask for UTC). */
export const graphTimeSchema = z.object({ dateTime: z.string(), timeZone: z.string().nullish() });
export type GraphTime = z.infer<typeof graphTimeSchema>;

/** The instant it names, epoch milliseconds; undefined when the time or its zone cannot be read. */
export function toInstantMs({ dateTime, timeZone }: GraphTime): number | undefined {
  const zone = toIanaZone(timeZone ?? 'UTC');
  const instant = zone === undefined ? 'needs-a-zone' : parseInstant(dateTime, zone);
  return typeof instant === 'number' ? instant : undefined;
}

/** The calendar day it is in, `YYYY-MM-DD`; undefined unless it is the midnight at which that day begins. */
export function toDate({ dateTime }: GraphTime): string | undefined {
  const date = /^(\d{4}-\d\d-\d\d)(?:T00:00(?::00(?:\.0+)?)?Z?)?$/.exec(dateTime)?.[1];
  if (date === undefined) return undefined;
  try {
    return Temporal.PlainDate.from(date).toString();
  } catch {
    return undefined;
  }
}
