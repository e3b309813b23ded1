import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { type ConfigChange, type Runtime, startRuntime } from '../local/runtime.ts';
import type { Person, PersonInput } from '../sandbox/people.ts';
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts';

/** The sandbox and the worker of one test file. */
export interface Stage {
  readonly sandbox: Sandbox;
  readonly runtime: Runtime;
  /** A new person with an address of their own; Google by default. */
  person(input?: Partial<PersonInput>): Person;
}

/** Starts both before the file's tests and ends them afterwards. */
export function openStage(
  vars: Record<string, string> = {},
  change?: (own: ConfigChange) => ConfigChange,
): Stage {
  let sandbox: Sandbox | undefined;
  let runtime: Runtime | undefined;
  beforeAll(async () => {
    sandbox = await startSandbox();
    runtime = await startRuntime(sandbox, vars, change);
  });
  afterAll(async () => {
    await runtime?.close();
    await sandbox?.close();
  });
  return {
    get sandbox() {
      if (sandbox === undefined) throw new Error('the stage is not open yet');
      return sandbox;
    },
    get runtime() {
      if (runtime === undefined) throw new Error('the stage is not open yet');
      return runtime;
    },
    person(input = {}) {
      return this.sandbox.people.add({
        provider: 'google',
        email: `person-${randomUUID()}@example.com`,
        name: 'A Person',
        timeZone: 'Europe/Berlin',
        ...input,
      });
    },
  };
}

/** The kinds of account that can be connected. */
export const ACCOUNTS = [
  { label: 'Google', input: { provider: 'google' } },
  { label: 'Microsoft, work', input: { provider: 'microsoft', account: 'work' } },
  { label: 'Microsoft, personal', input: { provider: 'microsoft', account: 'personal' } },
] as const satisfies { label: string; input: Partial<PersonInput> }[];
