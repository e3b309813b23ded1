import * as z from 'zod';
import type { Notice } from '../domain/notice.ts';
import type { Agenda } from './agenda.ts';
import type { Ledger, TaskEnd } from './ledger.ts';
import type { Store } from './store.ts';

const RETRY_MS = 15_000;

const rowsSchema = z.array(z.object({ seq: z.number(), body: z.string() }));

/** What the outbox is made of. `send` hands notices to the queue, and throws when it cannot. */
export interface NoticesOptions {
  store: Store;
  agenda: Agenda;
  ledger: Ledger;
  connectorId: string;
  now: () => number;
  send: (notices: Notice[]) => Promise<void>;
}

/**
 * The outbox to `notify-tasks`. A notice is stored before it is sent, or can be told anew from the
 * ledger, and is sent again until the queue has taken it: at least once.
 */
export class Notices {
  readonly #options: NoticesOptions;
  #flushing: Promise<void> | undefined;

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
   * Hands over the notice of a task that has ended, before the ledger records the end.
   *
   * @returns whether the queue took it; if not, the ledger's row is what it is sent from later.
   */
  async tellEnd(taskId: string, taskType: string, end: TaskEnd): Promise<boolean> {
    try {
      await this.#options.send([this.#composeEnd(taskId, taskType, end)]);
      return true;
    } catch {
      this.#options.agenda.schedule('send-notices', this.#options.now() + RETRY_MS);
      return false;
    }
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
    await this.flush();
    if (this.#options.agenda.has('send-notices')) throw new Error('notices wait to be sent');
    await this.#options.send([this.#compose(notice)]);
  }

  async #flush(): Promise<void> {
    const { store, agenda, ledger, now, send } = this.#options;
    try {
      for (;;) {
        const rows = rowsSchema.parse(store.query('SELECT seq, body FROM notice ORDER BY seq LIMIT 50'));
        const ends = ledger.unnotified();
        if (rows.length === 0 && ends.length === 0) break;
        const posted = rows.map(({ body }): Notice => JSON.parse(body));
        await send([...posted, ...ends.map(({ id, type, end }) => this.#composeEnd(id, type, end))]);
        store.query('DELETE FROM notice WHERE seq <= ?', rows.at(-1)?.seq ?? 0);
        ledger.markNotified(ends.map(({ id }) => id));
      }
      agenda.strike('send-notices');
    } catch {
      agenda.schedule('send-notices', now() + RETRY_MS);
    }
  }

  #composeEnd(taskId: string, taskType: string, end: TaskEnd): Notice {
    return this.#compose({
      type: end.state === 'done' ? 'task-completed' : 'task-failed',
      taskId,
      taskType,
      ...(end.state === 'done' ? { result: end.result } : { error: end.error }),
    });
  }

  #compose(notice: Omit<Notice, 'connectorId' | 'at'>): Notice {
    const { connectorId, now } = this.#options;
    return { ...notice, connectorId, at: new Date(now()).toISOString() };
  }
}
