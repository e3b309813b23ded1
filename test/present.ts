/** The value, without which a test cannot go on. */
export function present<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('there is no value');
  return value;
}
