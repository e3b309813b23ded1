import type { Person } from '../people.ts';

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether a path segment names a tenant, or one of the three groups of them. */
export function isTenant(name: string): boolean {
  return ['common', 'organizations', 'consumers'].includes(name) || GUID.test(name);
}

/** Why a person may not sign in through a tenant, or undefined when they may. */
export function barred(person: Person, tenant: string): { number: number; text: string } | undefined {
  switch (tenant) {
    case 'common':
      return undefined;
    case 'organizations':
      return person.account === 'work'
        ? undefined
        : {
            number: 500200,
            text: 'The account is a personal Microsoft account, which this application excludes.',
          };
    case 'consumers':
      return person.account === 'personal'
        ? undefined
        : {
            number: 500202,
            text: 'The account is a work or school account, which this application excludes.',
          };
    default:
      return person.tenantId === tenant.toLowerCase()
        ? undefined
        : { number: 50020, text: 'The account does not exist in this tenant.' };
  }
}
