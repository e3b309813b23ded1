/**
 * `outcome`, or what `late` gives (or throws) when it takes longer than `ms`. No timer outlives it: a
 * timer that is left behind keeps the actor in memory until it goes off.
 */
export async function inTime<T, Late>(outcome: Promise<T>, ms: number, late: () => Late): Promise<T | Late> {
  const timer = Promise.withResolvers<'late'>();
  const handle = setTimeout(() => timer.resolve('late'), ms);
  try {
    const first = await Promise.race([outcome.then((value) => ({ value })), timer.promise]);
    return first === 'late' ? late() : first.value;
  } finally {
    clearTimeout(handle);
  }
}
