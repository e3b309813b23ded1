import { sweepOAuthStates } from './db/oauth-state.ts';

/** The cron sweep: removes sign-ins that nobody finished in their ten minutes. */
export async function sweep(env: Pick<Env, 'DB'>, nowMs: number): Promise<void> {
  await sweepOAuthStates(env.DB, nowMs);
}
