/** A published price: US dollars for a million units, beyond what a month includes. */
export interface Price {
  dollarsPerMillion: number;
  /** The page that says so. */
  source: string;
}

/** When the pages were read. */
export const READ_ON = '2026-11-24';

const DURABLE_OBJECTS = 'https://developers.cloudflare.com/durable-objects/platform/pricing/';
const WORKERS = 'https://developers.cloudflare.com/workers/platform/pricing/';
const QUEUES = 'https://developers.cloudflare.com/queues/platform/pricing/';
const D1 = 'https://developers.cloudflare.com/d1/platform/pricing/';
const KV = 'https://developers.cloudflare.com/kv/platform/pricing/';

/** What Cloudflare charges on the plan Workers Paid. */
export const PRICES = {
  workerRequests: { dollarsPerMillion: 0.3, source: WORKERS },
  workerCpuMs: { dollarsPerMillion: 0.02, source: WORKERS },
  /** RPC calls and alarms alike. */
  objectRequests: { dollarsPerMillion: 0.15, source: DURABLE_OBJECTS },
  /** Gigabytes times seconds that an object is awake. */
  objectGigabyteSeconds: { dollarsPerMillion: 12.5, source: DURABLE_OBJECTS },
  /** Deleted rows and each `setAlarm` included. */
  rowsWritten: { dollarsPerMillion: 1, source: DURABLE_OBJECTS },
  rowsRead: { dollarsPerMillion: 0.001, source: DURABLE_OBJECTS },
  /** For each 64 kB of a message: one to write it, one to read it, one to delete it. */
  queueOperations: { dollarsPerMillion: 0.4, source: QUEUES },
  d1RowsRead: { dollarsPerMillion: 0.001, source: D1 },
  d1RowsWritten: { dollarsPerMillion: 1, source: D1 },
  kvReads: { dollarsPerMillion: 0.5, source: KV },
  kvWrites: { dollarsPerMillion: 5, source: KV },
} as const satisfies Record<string, Price>;

/** What an object is billed for as its memory, whatever it uses. Source: the page of Durable Objects. */
export const OBJECT_GIGABYTES = 0.128;
/** Operations that one message takes: written, read, deleted. Source: the page of Queues. */
export const OPERATIONS_PER_MESSAGE = 3;
