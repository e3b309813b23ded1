import { describe, expect, it } from 'vitest';
import { findMissingScopes } from '../../../src/providers/microsoft/scopes.ts';

const missing = (asked: string[], granted: string[]) =>
  findMissingScopes(asked, granted, 'https://graph.example');

describe('comparing asked and granted Microsoft scopes', () => {
  it('looks at neither order, nor case, nor the Graph resource in front', () => {
    expect(
      missing(
        ['Calendars.ReadWrite', 'MailboxSettings.Read'],
        [
          'https://graph.microsoft.com/mailboxsettings.read',
          'openid',
          'https://graph.microsoft.com/Calendars.ReadWrite',
        ],
      ),
    ).toEqual([]);
    expect(missing(['https://graph.microsoft.us/Calendars.Read'], ['calendars.read'])).toEqual([]);
    expect(missing(['Calendars.Read'], ['https://graph.example/Calendars.Read'])).toEqual([]);
  });

  it('names what is missing as it was asked for', () => {
    expect(missing(['Calendars.ReadWrite', 'MailboxSettings.Read'], ['Calendars.Read'])).toEqual([
      'Calendars.ReadWrite',
      'MailboxSettings.Read',
    ]);
  });

  it('never misses a sign-in scope', () => {
    expect(missing(['openid', 'profile', 'email', 'offline_access'], [])).toEqual([]);
  });

  it('lets a broader permission cover the narrower ones of its name, and never the other way', () => {
    expect(missing(['Calendars.Read', 'Calendars.ReadBasic'], ['Calendars.ReadWrite'])).toEqual([]);
    expect(missing(['Calendars.ReadBasic'], ['Calendars.Read'])).toEqual([]);
    expect(missing(['MailboxSettings.Read'], ['MailboxSettings.ReadWrite'])).toEqual([]);
    expect(missing(['Calendars.ReadWrite'], ['Calendars.ReadWrite.Shared'])).toEqual([]);
    expect(missing(['Calendars.Read.Shared'], ['Calendars.ReadWrite'])).toEqual(['Calendars.Read.Shared']);
    expect(missing(['Calendars.ReadWrite'], ['Calendars.Read.Shared'])).toEqual(['Calendars.ReadWrite']);
    expect(missing(['Calendars.Read'], ['Mail.ReadWrite'])).toEqual(['Calendars.Read']);
  });

  it('does not take another resource for Graph', () => {
    expect(missing(['Calendars.Read'], ['https://outlook.office.com/Calendars.Read'])).toEqual([
      'Calendars.Read',
    ]);
  });
});
