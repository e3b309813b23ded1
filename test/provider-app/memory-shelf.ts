import type { Shelf } from '../../src/provider-app/shelf.ts';

/** A shelf in memory that keeps what survives storage, and counts the rows written. */
export function createShelf(): Shelf & { rows: number } {
  let stored: string | undefined;
  const shelf = {
    rows: 0,
    read: (): unknown => (stored === undefined ? undefined : JSON.parse(stored)),
    write(value: object) {
      shelf.rows += 1;
      stored = JSON.stringify(value);
    },
  };
  return shelf;
}
