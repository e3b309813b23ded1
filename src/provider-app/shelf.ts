/** The slice of an object's storage that a part needs: one value that it reads once and writes whole. */
export interface Shelf {
  /** What was last written; undefined when nothing was. */
  read(): unknown;
  /** Writes one row; it is there before anything that is answered afterwards leaves the object. */
  write(value: object): void;
}
