/** What people ask for in one go. */
export const ERRANDS = ['look', 'book', 'move', 'cancel', 'hold-and-confirm', 'hold-and-let-go'] as const;
/** One of them. */
export type Errand = (typeof ERRANDS)[number];

/** How connectors are used on one day. */
export interface Usage {
  /** Of all connectors, so many are in use on that day. */
  shareInUse: number;
  /** Errands of a connector in use, per hour of its working day. */
  errandsPerHour: number;
  /** The working day: from this hour to that. */
  fromHour: number;
  toHour: number;
  /** How often each errand is, relative to the others. */
  mix: Record<Errand, number>;
  tokenLifeMs: number;
  /** The planned lease of app-wide quota: so many calls are granted at once, for so long. */
  leaseCalls: number;
  leaseLifeMs: number;
}

/** What something costs, in operations. */
export const COSTS = [
  'requests',
  'alarms',
  'rows',
  'providerCalls',
  'tokenCalls',
  'databaseCalls',
  'keyValueCalls',
  'notices',
] as const;
/** How often each operation happens. */
export type Cost = Record<(typeof COSTS)[number], number>;

/** No operation at all. */
export function noCost(): Cost {
  return {
    requests: 0,
    alarms: 0,
    rows: 0,
    providerCalls: 0,
    tokenCalls: 0,
    databaseCalls: 0,
    keyValueCalls: 0,
    notices: 0,
  };
}

/** Adds `other`, so many times, to `cost`. */
export function addCost(cost: Cost, other: Cost, times = 1): void {
  for (const name of COSTS) cost[name] += other[name] * times;
}
