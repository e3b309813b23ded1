import * as z from 'zod';
import type { Notice } from '../domain/notice.ts';
import type { Agenda } from './agenda.ts';
import type { Ledger, TaskEnd } from './ledger.ts';
import type { Store } from './store.ts';
import { backOffMs } from './verdict.ts';

/** A notice that the queue did not take is sent again after so long, and then ever more rarely. */
const RETRY_MS = 15_000;

/** What the queue takes in one call: so many messages, and with some room to spare so many bytes. */
const MOST_AT_ONCE = 100;
const MOST_BYTES_AT_ONCE = 200_000;
/** What it takes as one message, likewise. */
const LONGEST_NOTICE_BYTES = 100_000;

const insertedSchema = z.tuple([z.object({ seq: z.number() })]);
const rowsSchema = z.array(z.object({ seq: z.number(), body: z.string() }));

/** What the outbox is made of. `send` hands notices to the queue, and throws when it cannot. */
export interface NoticesOptions {
  store: Store;
  agenda: Agenda;
  ledger: Ledger;
  connectorId: string;
  now: () => number;
  random: () => number;
  onError: (where: string, thrown: unknown) => void;
  send: (notices: Notice[]) => Promise<void>;
}

/**
 * The outbox to `notify-tasks`. A notice is stored before it is sent, or can be told anew from the
 * ledger, and is sent again until the queue has taken it: at least once.
 */
export class Notices {
  readonly #options: NoticesOptions;
  #flushing: Promise<void> | undefined;
  #attempts = 0;
  /** The row of a notice that is not complete yet, and how much had been undone in the storage when it was written. */
  #draft: { seq: number; undone: number } | undefined;

  constructor(options: NoticesOptions) {
    this.#options = options;
  }

  /** Stores a notice of the connector and sends it soon. */
  post(notice: Omit<Notice, 'connectorId' | 'at'>): void {
    const { store, agenda, now } = this.#options;
    store.query('INSERT INTO notice (body) VALUES (?)', JSON.stringify(this.#compose(notice)));
    agenda.schedule('send-notices', now() + RETRY_MS);
    void this.flush();
  }

  /**
   * Stores what a notice has to say so far, in place of what it had before: one row. It is sent once it is
   * complete; should this life end before, the next sends it as it is.
   */
  draft(notice: Omit<Notice, 'connectorId' | 'at'>): void {
    const { store, agenda, now } = this.#options;
    const { undone } = store;
    // After something was undone it may be gone; if it is not, it is sent as it is.
    const before = this.#draft?.undone === undone ? this.#draft.seq : null;
    const body = JSON.stringify(this.#compose(notice));
    const [{ seq }] = insertedSchema.parse(
      store.query('INSERT OR REPLACE INTO notice (seq, body) VALUES (?, ?) RETURNING seq', before, body),
    );
    this.#draft = { seq, undone };
    if (before === null) agenda.schedule('send-notices', now() + RETRY_MS);
  }

  /** The draft, if there is one, has all that it is to say: it is sent soon. */
  completeDraft(): void {
    if (this.#draft === undefined) return;
    this.#draft = undefined;
    void this.flush();
  }

  /**
   * Hands over the notice of a task that has ended, before the ledger records the end.
   *
   * @returns whether the queue took it; if not, the ledger's row is what it is sent from later.
   */
  async tellEnd(taskId: string, taskType: string, end: TaskEnd): Promise<boolean> {
    try {
      await this.#options.send([this.#composeEnd(taskId, taskType, end)]);
      return true;
    } catch (thrown) {
      this.#putOff(thrown);
      return false;
    }
  }

  /** Notes that the ledger holds ends that have not been told: a crash from here on does not lose them. */
  noteEnds(): void {
    const { agenda, now } = this.#options;
    agenda.schedule('send-notices', now() + RETRY_MS);
  }

  /** Sends all that waits. Never rejects; what the queue does not take stays on the agenda. */
  async flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    await this.#flushing;
  }

  /** Sends all that waits and then `notice`, before the storage goes. Throws when the queue does not take them. */
  async sendLast(notice: Omit<Notice, 'connectorId' | 'at'>): Promise<void> {
    this.#draft = undefined;
    await this.flush();
    if (this.#options.agenda.has('send-notices')) throw new Error('notices wait to be sent');
    await this.#options.send([this.#compose(notice)]);
  }

  async #flush(): Promise<void> {
    const { store, agenda, ledger, now, send } = this.#options;
    try {
      for (;;) {
        const rows = rowsSchema.parse(
          store.query(
            'SELECT seq, body FROM notice WHERE seq IS NOT ? ORDER BY seq LIMIT 50',
            this.#draft?.seq ?? null,
          ),
        );
        const ends = ledger.unnotified();
        if (rows.length === 0 && ends.length === 0) break;
        const posted = rows.map(({ body }): Notice => JSON.parse(body));
        const batch = takeBatch([
          ...posted,
          ...ends.map(({ id, type, end }) => this.#composeEnd(id, type, end)),
        ]);
        await send(batch);
        for (const { seq } of rows.slice(0, batch.length))
          store.query('DELETE FROM notice WHERE seq = ?', seq);
        ledger.markNotified(ends.slice(0, Math.max(0, batch.length - rows.length)).map(({ id }) => id));
      }
      this.#attempts = 0;
      if (this.#draft === undefined) agenda.strike('send-notices');
      else agenda.schedule('send-notices', now() + RETRY_MS);
    } catch (thrown) {
      this.#putOff(thrown);
    }
  }

  #putOff(thrown: unknown): void {
    const { agenda, now, random, onError } = this.#options;
    onError('send notices', thrown);
    this.#attempts += 1;
    agenda.schedule('send-notices', now() + RETRY_MS + backOffMs(this.#attempts, random));
  }

  #composeEnd(taskId: string, taskType: string, end: TaskEnd): Notice {
    const about = { taskId, taskType };
    if (end.state === 'failed') return this.#compose({ type: 'task-failed', ...about, error: end.error });
    const notice = this.#compose({ type: 'task-completed', ...about, result: end.result });
    // A result that no message holds is asked for at the task; its notice must not block the others.
    return sizeOf(notice) <= LONGEST_NOTICE_BYTES
      ? notice
      : this.#compose({ type: 'task-completed', ...about });
  }

  #compose(notice: Omit<Notice, 'connectorId' | 'at'>): Notice {
    const { connectorId, now } = this.#options;
    return { ...notice, connectorId, at: new Date(now()).toISOString() };
  }
}

/** The first of `notices`, as many as the queue takes in one call; at least one. */
function takeBatch(notices: readonly Notice[]): Notice[] {
  let bytes = 0;
  const tooMany = notices.findIndex((notice, index) => {
    bytes += sizeOf(notice);
    return index > 0 && (index >= MOST_AT_ONCE || bytes > MOST_BYTES_AT_ONCE);
  });
  return notices.slice(0, tooMany === -1 ? notices.length : tooMany);
}

function sizeOf(notice: Notice): number {
  return new TextEncoder().encode(JSON.stringify(notice)).byteLength;
}
