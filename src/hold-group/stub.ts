import type { HoldGroupDO } from './hold-group-do.ts';

/** The object of a hold over several connectors; one that was never placed answers and keeps nothing. */
export function groupOf(env: Pick<Env, 'HOLD_GROUP'>, holdId: string): DurableObjectStub<HoldGroupDO> {
  return env.HOLD_GROUP.getByName(holdId);
}
