import { Temporal } from 'temporal-polyfill';

// Windows zone names and the IANA zone each stands for first.
const IANA_OF_WINDOWS: Readonly<Record<string, string>> = {
  'Dateline Standard Time': 'Etc/GMT+12',
  'Hawaiian Standard Time': 'Pacific/Honolulu',
  'Alaskan Standard Time': 'America/Anchorage',
  'Pacific Standard Time': 'America/Los_Angeles',
  'US Mountain Standard Time': 'America/Phoenix',
  'Mountain Standard Time': 'America/Denver',
  'Central Standard Time': 'America/Chicago',
  'Central America Standard Time': 'America/Guatemala',
  'Central Standard Time (Mexico)': 'America/Mexico_City',
  'Canada Central Standard Time': 'America/Regina',
  'SA Pacific Standard Time': 'America/Bogota',
  'Eastern Standard Time': 'America/New_York',
  'Atlantic Standard Time': 'America/Halifax',
  'Pacific SA Standard Time': 'America/Santiago',
  'Newfoundland Standard Time': 'America/St_Johns',
  'E. South America Standard Time': 'America/Sao_Paulo',
  'Argentina Standard Time': 'America/Argentina/Buenos_Aires',
  'Greenland Standard Time': 'America/Nuuk',
  'Azores Standard Time': 'Atlantic/Azores',
  'Cape Verde Standard Time': 'Atlantic/Cape_Verde',
  UTC: 'UTC',
  'GMT Standard Time': 'Europe/London',
  'Greenwich Standard Time': 'Atlantic/Reykjavik',
  'Morocco Standard Time': 'Africa/Casablanca',
  'W. Europe Standard Time': 'Europe/Berlin',
  'Romance Standard Time': 'Europe/Paris',
  'Central Europe Standard Time': 'Europe/Budapest',
  'Central European Standard Time': 'Europe/Warsaw',
  'W. Central Africa Standard Time': 'Africa/Lagos',
  'GTB Standard Time': 'Europe/Bucharest',
  'E. Europe Standard Time': 'Europe/Chisinau',
  'FLE Standard Time': 'Europe/Kyiv',
  'Egypt Standard Time': 'Africa/Cairo',
  'South Africa Standard Time': 'Africa/Johannesburg',
  'Israel Standard Time': 'Asia/Jerusalem',
  'Turkey Standard Time': 'Europe/Istanbul',
  'Arab Standard Time': 'Asia/Riyadh',
  'Russian Standard Time': 'Europe/Moscow',
  'E. Africa Standard Time': 'Africa/Nairobi',
  'Iran Standard Time': 'Asia/Tehran',
  'Arabian Standard Time': 'Asia/Dubai',
  'Afghanistan Standard Time': 'Asia/Kabul',
  'Pakistan Standard Time': 'Asia/Karachi',
  'India Standard Time': 'Asia/Kolkata',
  'Sri Lanka Standard Time': 'Asia/Colombo',
  'Nepal Standard Time': 'Asia/Kathmandu',
  'Bangladesh Standard Time': 'Asia/Dhaka',
  'Myanmar Standard Time': 'Asia/Yangon',
  'SE Asia Standard Time': 'Asia/Bangkok',
  'China Standard Time': 'Asia/Shanghai',
  'Singapore Standard Time': 'Asia/Singapore',
  'W. Australia Standard Time': 'Australia/Perth',
  'Taipei Standard Time': 'Asia/Taipei',
  'Tokyo Standard Time': 'Asia/Tokyo',
  'Korea Standard Time': 'Asia/Seoul',
  'Cen. Australia Standard Time': 'Australia/Adelaide',
  'AUS Central Standard Time': 'Australia/Darwin',
  'E. Australia Standard Time': 'Australia/Brisbane',
  'AUS Eastern Standard Time': 'Australia/Sydney',
  'Tasmania Standard Time': 'Australia/Hobart',
  'Lord Howe Standard Time': 'Australia/Lord_Howe',
  'New Zealand Standard Time': 'Pacific/Auckland',
  'Chatham Islands Standard Time': 'Pacific/Chatham',
  'Tonga Standard Time': 'Pacific/Tongatapu',
  'Line Islands Standard Time': 'Pacific/Kiritimati',
};

/** The IANA zone that a Windows or IANA name means, or undefined when it means none. */
export function ianaZone(name: string): string | undefined {
  const lower = name.toLowerCase();
  const windows = Object.entries(IANA_OF_WINDOWS).find(([one]) => one.toLowerCase() === lower)?.[1];
  if (windows !== undefined) return windows;
  // Bare offsets such as +02:00 are zones to Temporal, but not to Outlook.
  if (!/^[A-Za-z]/.test(name)) return undefined;
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name).timeZoneId;
  } catch {
    return undefined;
  }
}

/** The Windows name of an IANA zone: its own, or that of a zone with the same hours this year, else the IANA name. */
export function windowsZone(iana: string): string {
  const named = Object.entries(IANA_OF_WINDOWS).find(([, zone]) => zone === iana)?.[0];
  if (named !== undefined) return named;
  const hours = hoursOf(iana);
  return Object.entries(IANA_OF_WINDOWS).find(([, zone]) => hoursOf(zone) === hours)?.[0] ?? iana;
}

/** A moment as Outlook writes it: local time with seven decimals, without an offset. */
export function outlookTime(epochMs: number, timeZone: string): string {
  return Temporal.Instant.fromEpochMilliseconds(epochMs)
    .toZonedDateTimeISO(timeZone)
    .toPlainDateTime()
    .toString({ fractionalSecondDigits: 7 });
}

/**
 * The moment of an Outlook local time in a zone, or undefined when the text is none. A `Z` at the end is taken
 * for what it says only where the zone is UTC.
 */
export function outlookMoment(text: string, timeZone: string): number | undefined {
  const local = /^(\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?)?)(Z)?$/.exec(text);
  if (local === null || (local[2] === 'Z' && timeZone !== 'UTC')) return undefined;
  try {
    return Temporal.PlainDateTime.from(local[1] ?? '').toZonedDateTime(timeZone).epochMilliseconds;
  } catch {
    return undefined;
  }
}

function hoursOf(zone: string): string {
  const year = Temporal.Now.plainDateISO('UTC').year;
  return [1, 4, 7, 10]
    .map(
      (month) => Temporal.PlainDate.from({ year, month, day: 1 }).toZonedDateTime({ timeZone: zone }).offset,
    )
    .join(' ');
}
