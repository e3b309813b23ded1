import { describe, expect, it } from 'vitest';
import { fail, ok } from '../../../src/domain/failure.ts';
import { readMailbox } from '../../../src/providers/microsoft/calendars.ts';
import { CONFIG, type GraphAnswer, scriptedAccess, scriptedGraph } from './scripted.ts';

const CALENDARS = {
  value: [
    {
      id: 'c1',
      name: 'Calendar',
      isDefaultCalendar: true,
      canEdit: true,
      owner: { address: 'ada@example.com' },
    },
  ],
  '@odata.nextLink': `${CONFIG.graphUrl}/v1.0/me/calendars?page=2`,
};
const MORE = { value: [{ id: 'c2', owner: null }] };

function read(answers: { calendars?: GraphAnswer; settings?: GraphAnswer }) {
  const { send, asked } = scriptedGraph(({ url }) => {
    if (url.startsWith('/me/mailboxSettings')) return answers.settings ?? { body: {} };
    return answers.calendars ?? { body: url.includes('page=2') ? MORE : CALENDARS };
  });
  const { access } = scriptedAccess(send);
  return { mailbox: readMailbox({ graphUrl: CONFIG.graphUrl, access }), asked };
}

describe('reading a Microsoft mailbox', () => {
  it('brings every page of the calendar list', async () => {
    const { mailbox, asked } = read({});
    expect((await mailbox).calendars).toEqual(
      ok([
        { id: 'c1', name: 'Calendar', isDefault: true, canEdit: true, ownerAddress: 'ada@example.com' },
        { id: 'c2', name: '', isDefault: false, canEdit: false },
      ]),
    );
    expect(asked).toHaveLength(2);
  });

  it('brings the zone and the working hours of the settings', async () => {
    const { mailbox } = read({
      settings: {
        body: {
          timeZone: 'Tokyo Standard Time',
          workingHours: {
            daysOfWeek: ['monday'],
            startTime: '09:00:00',
            endTime: '18:00:00',
            timeZone: { name: 'Tokyo Standard Time' },
          },
        },
      },
    });
    expect((await mailbox).settings).toEqual(
      ok({
        timeZone: 'Asia/Tokyo',
        workingHours: [{ day: 'monday', start: '09:00', end: '18:00', timeZone: 'Asia/Tokyo' }],
      }),
    );
  });

  it('leaves out settings that cannot be understood', async () => {
    const { mailbox } = read({ settings: { body: { timeZone: 'Customized Time Zone', workingHours: 7 } } });
    expect((await mailbox).settings).toEqual(ok({}));
  });

  it('keeps the one when the other is refused', async () => {
    const refused: GraphAnswer = { status: 403, body: { error: { code: 'ErrorAccessDenied' } } };
    const consent = fail({ kind: 'consent-missing', scopes: [] });
    const withoutSettings = await read({ settings: refused }).mailbox;
    expect(withoutSettings.settings).toEqual(consent);
    expect(withoutSettings.calendars.ok).toBe(true);
    const withoutCalendars = await read({ calendars: refused }).mailbox;
    expect(withoutCalendars).toEqual({ calendars: consent, settings: ok({}) });
  });
});
