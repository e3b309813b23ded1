/** The console's modules are plain JavaScript; their types, as the tests use them. */
declare module '*/src/web/week.js' {
  export interface Piece {
    day: number;
    top: number;
    bottom: number;
    startMs: number;
    endMs: number;
    isWholeDay: boolean;
  }
  export interface Week {
    height: number;
    startMs: number;
    endMs: number;
    labels: { top: number; text: string; again: boolean }[];
    days: {
      date: string;
      startMs: number;
      endMs: number;
      missing: { top: number; bottom: number }[];
    }[];
  }
  export function mondayOf(date: string): string;
  export function instantOf(date: string, minutes: number, zone: string): number;
  export function layOutWeek(monday: string, zone: string): Week;
  export function placeInterval(week: Week, startMs: number, endMs: number): Piece[];
  export function findWorkingTimes(
    week: Week,
    pattern: { day: string; start: string; end: string; timeZone?: string }[],
  ): { startMs: number; endMs: number }[];
}

declare module '*/src/web/words.js' {
  export interface Return {
    status: string;
    code?: string;
    connectorId?: string;
  }
  export function readReturn(search: string): Return | undefined;
  export function describeReturn(
    result: Return,
    connector?: { provider: string; status: string; accountEmail?: string },
  ): { tone: string; title: string; text?: string };
}
