import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dice } from './dice.ts';
import { Pushes } from './pushes.ts';
import type { NewPushRecord, Push } from './pushes.ts';

let server: Server;
let url: string;
let statuses: number[];
let received: string[];
let records: NewPushRecord[];
let pushes: Pushes;

beforeEach(async () => {
  received = [];
  statuses = [];
  records = [];
  server = createServer((request, response) => {
    received.push(String(request.headers['x-number']));
    response.writeHead(statuses.shift() ?? 200).end('thanks');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${String(typeof address === 'object' ? address?.port : '')}/hook`;
  pushes = new Pushes(dice(1), (record) => void records.push(record));
  pushes.settings.retryMs = 1;
});
afterEach(async () => {
  await pushes.close();
  server.closeAllConnections();
  server.close();
});

const push = (number: number, changes: Partial<Push> = {}): Push => ({
  provider: 'google',
  person: 'ada@example.com',
  watchId: 'channel',
  kind: 'exists',
  url,
  headers: { 'x-number': String(number) },
  body: '',
  ...changes,
});
const outcomes = (): (number | string)[] =>
  records.map((record) => ('lost' in record ? record.lost : record.status));

describe('a notification', () => {
  test('arrives after its delay, and settling waits for it', async () => {
    pushes.send(push(1));
    expect([received, pushes.inFlight]).toEqual([[], 1]);
    await pushes.settle();
    expect([received, outcomes(), pushes.inFlight]).toEqual([['1'], [200], 0]);
  });

  test('is sent again after a 5xx, but not for ever and not after a 4xx', async () => {
    statuses = [503, 500];
    pushes.send(push(1));
    await pushes.settle();
    expect(outcomes()).toEqual([503, 500, 200]);
    statuses = [404, 503, 503, 503, 503, 503];
    pushes.send(push(2));
    await pushes.settle();
    pushes.send(push(3));
    await pushes.settle();
    expect(outcomes().slice(3)).toEqual([404, 503, 503, 503, 503]);
  });

  test('is lost or sent twice as often as the levers say', async () => {
    Object.assign(pushes.settings, { lose: 0.5, duplicate: 1 });
    for (let number = 0; number < 20; number += 1) pushes.send(push(number));
    await pushes.settle();
    const lost = outcomes().filter((outcome) => outcome === 'chance').length;
    expect(lost).toBeGreaterThan(3);
    expect(lost).toBeLessThan(17);
    expect(received).toHaveLength(2 * (20 - lost));
  });

  test('takes the place of one that waits when they are collapsed', async () => {
    pushes.settings.collapse = true;
    for (const number of [1, 2, 3]) pushes.send(push(number));
    pushes.send(push(4, { watchId: 'other' }));
    await pushes.settle();
    expect(received.toSorted()).toEqual(['3', '4']);
    expect(outcomes().filter((outcome) => outcome === 'collapsed')).toHaveLength(2);
  });

  test('of a silenced person is not sent, and goes nowhere but to this machine', async () => {
    pushes.silence('Ada@example.com');
    pushes.send(push(1));
    pushes.silence('ada@example.com', false);
    for (const elsewhere of ['https://example.com/hook', 'http://127.0.0.1.example.com/', 'file:///etc']) {
      pushes.send(push(2, { url: elsewhere }));
    }
    await pushes.settle();
    expect(outcomes()).toEqual(['silence', 'elsewhere', 'elsewhere', 'elsewhere']);
    expect(await pushes.call(push(3, { url: 'https://example.com/' }))).toBeUndefined();
  });
});

test('an address can be called directly', async () => {
  statuses = [202];
  expect(await pushes.call(push(1))).toEqual({ status: 202, contentType: '', text: 'thanks' });
  expect(await pushes.call(push(1, { url: 'http://127.0.0.1:1/' }))).toBeUndefined();
});
