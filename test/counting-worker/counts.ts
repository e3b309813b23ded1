/** What one connector has cost since its counts were taken last. */
export interface Counts {
  /** Calls of its Durable Object, by the method. */
  calls: Record<string, number>;
  /** Calls that its Durable Object made to others, by the binding. */
  callsOfOthers: Record<string, number>;
  /** Times that its alarm went off. */
  alarms: number;
  /** Rows written to its storage, by what wrote them. */
  rowsWritten: Record<string, number>;
  rowsRead: number;
  d1RowsRead: number;
  d1RowsWritten: number;
  kvReads: number;
  kvWrites: number;
  /** Messages sent to `notify-tasks`. */
  notices: number;
}

/** Nothing counted yet. */
export function noCounts(): Counts {
  return {
    calls: {},
    callsOfOthers: {},
    alarms: 0,
    rowsWritten: {},
    rowsRead: 0,
    d1RowsRead: 0,
    d1RowsWritten: 0,
    kvReads: 0,
    kvWrites: 0,
    notices: 0,
  };
}

/** Adds to a count that has a name. */
export function addTo(counts: Record<string, number>, name: string, much = 1): void {
  if (much > 0) counts[name] = (counts[name] ?? 0) + much;
}

/** All of the counts that have names, together. */
export function sumOf(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
