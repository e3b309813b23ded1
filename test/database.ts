import { applyD1Migrations } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import * as z from 'zod';

const bindingsSchema = z.object({
  TEST_MIGRATIONS: z.array(z.object({ name: z.string(), queries: z.array(z.string()) })),
});

/** Gives the test's D1 database the tables that `migrations/` describes; to be called before the tests of a file. */
export async function migrateDatabase(): Promise<void> {
  await applyD1Migrations(env.DB, bindingsSchema.parse(env).TEST_MIGRATIONS);
}

/** An id that no other test has. */
export function freshId(kind = 'connector'): string {
  return `${kind}-${crypto.randomUUID()}`;
}
