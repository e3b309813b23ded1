import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { collectNotices } from './runtime.ts';
import { generateSecrets, LOCAL_BASE_URL, LOCAL_REDIRECT_URI } from './settings.ts';

/** What a worker needs that is started as a process: fresh secrets, a place for its state, somebody who takes its notices. */
export async function prepare(sandbox: Pick<Sandbox, 'vars' | 'secrets'>, moreVars: Record<string, string>) {
  const statePath = await mkdtemp(join(tmpdir(), 'calendar-sync-'));
  const collector = await collectNotices();
  const generated = generateSecrets();
  return {
    statePath,
    collector,
    apiToken: generated.API_TOKENS,
    vars: {
      ...sandbox.vars,
      ...sandbox.secrets,
      ...generated,
      PUBLIC_BASE_URL: LOCAL_BASE_URL,
      ALLOWED_REDIRECT_URIS: LOCAL_REDIRECT_URI,
      ...moreVars,
    },
    tidy: async () => {
      await collector.close();
      await rm(statePath, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
