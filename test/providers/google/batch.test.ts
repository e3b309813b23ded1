import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Failure, fail } from '../../../src/domain/failure.ts';
import { readBatch, writeBatch } from '../../../src/providers/google/batch.ts';
import { batchReply, NOW, readSentBatch, reply } from './scripted.ts';

const missing = (index: number) => fail({ kind: 'malformed', at: `batch part ${index}` } satisfies Failure);

describe('writing a batch', () => {
  it('writes each request as an HTTP message of its own, under an id, with its length in bytes', () => {
    const { contentType, body } = writeBatch([
      { method: 'POST', path: '/calendar/v3/freeBusy', body: '{"a":"é"}' },
      { method: 'GET', path: '/calendar/v3/colors?x=1' },
    ]);
    expect(contentType).toBe('multipart/mixed; boundary=batch_0');
    expect(body.split('\r\n')).toEqual([
      '--batch_0',
      'Content-Type: application/http',
      'Content-ID: <item-0>',
      '',
      'POST /calendar/v3/freeBusy HTTP/1.1',
      'Content-Type: application/json',
      'Content-Length: 10',
      '',
      '{"a":"é"}',
      '--batch_0',
      'Content-Type: application/http',
      'Content-ID: <item-1>',
      '',
      'GET /calendar/v3/colors?x=1 HTTP/1.1',
      '',
      '',
      '--batch_0--',
      '',
    ]);
  });

  it('binds a request to a version inside its own part', () => {
    const { body } = writeBatch([{ method: 'DELETE', path: '/x', ifMatch: '"1"' }]);
    expect(body).toContain('\r\nDELETE /x HTTP/1.1\r\nIf-Match: "1"\r\n\r\n');
  });

  it('chooses a boundary that no part contains', () => {
    const hostile = JSON.stringify('--batch_0 --batch_1-- batch_2 batch_40');
    expect(writeBatch([{ method: 'POST', path: '/x', body: hostile }]).contentType).toMatch(/batch_3$/);
  });

  it('can be read back whole, whatever the bodies hold', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('--batch_0', '\r\n--batch_0--\r\n', 'batch_1'),
    );
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 20 }), (texts) => {
        const parts = texts.map((one) => ({ method: 'POST', path: '/p', body: JSON.stringify({ one }) }));
        const { contentType, body } = writeBatch(parts);
        const read = readSentBatch({
          method: 'POST',
          url: '',
          headers: { 'Content-Type': contentType },
          body,
        });
        expect(read.map((part) => part.body)).toEqual(
          texts.map((one) => JSON.parse(JSON.stringify({ one }))),
        );
      }),
    );
  });
});

const answer = (index: number, status = 200) => ({ id: `item-${index}`, ...reply(status, { index }) });

describe('reading the reply to a batch', () => {
  it('finds every answer by its id, in any order, with CRLF or LF', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 20 }),
        fc.constantFrom('\r\n', '\n'),
        fc.infiniteStream(fc.nat()),
        (texts, eol, keys) => {
          const shuffled = texts
            .map((text, index) => ({ id: `item-${index}`, key: keys.next().value, ...reply(200, { text }) }))
            .toSorted((a, b) => a.key - b.key);
          const read = readBatch(batchReply(shuffled, eol), texts.length);
          expect(read.map((one): unknown => one.ok && JSON.parse(one.value.body))).toEqual(
            texts.map((text) => JSON.parse(JSON.stringify({ text }))),
          );
        },
      ),
    );
  });

  it('reads status and headers of each answer, timed with the envelope', () => {
    const throttled = { id: 'item-0', ...reply(403, '{}', { 'Retry-After': '7' }) };
    const [only] = readBatch(batchReply([throttled]), 1);
    expect(only).toMatchObject({ ok: true, value: { status: 403, receivedAtMs: NOW } });
    expect(only?.ok === true && only.value.headers.get('retry-after')).toBe('7');
  });

  it('reads a quoted boundary, blanks after delimiters and text around the parts', () => {
    const body = [
      'preamble',
      '--=_a b ',
      'content-id: response-item-0',
      '',
      'HTTP/1.1 204',
      '',
      '--=_a b--',
      'HTTP/1.1 500 epilogue',
    ];
    const envelope = reply(200, body.join('\r\n'), {
      'Content-Type': 'Multipart/Mixed;x=y; boundary="=_a b"',
    });
    expect(readBatch(envelope, 1)).toMatchObject([{ ok: true, value: { status: 204, body: '' } }]);
  });

  it('falls back to the order when no answer has an id and none is missing', () => {
    const read = readBatch(batchReply([reply(200, '"a"'), reply(200, '"b"')]), 2);
    expect(read).toMatchObject([{ value: { body: '"a"' } }, { value: { body: '"b"' } }]);
  });

  it('credits no answer by order when one is missing, or when only some have ids', () => {
    expect(readBatch(batchReply([reply(200, '"b"')]), 2)).toEqual([missing(0), missing(1)]);
    expect(readBatch(batchReply([reply(200, '"?"'), answer(1)]), 2)).toMatchObject([
      missing(0),
      { ok: true },
    ]);
  });

  it('takes a missing, a doubled and a foreign answer as malformed, and leaves the others be', () => {
    const read = readBatch(batchReply([answer(1), answer(1), answer(2), answer(9)]), 3);
    expect(read).toMatchObject([missing(0), missing(1), { ok: true }]);
  });

  it('takes a part that is cut off as missing', () => {
    const whole = batchReply([answer(0), answer(1)]);
    const cut = { ...whole, body: whole.body.slice(0, whole.body.lastIndexOf('--batch')) };
    expect(readBatch(cut, 2)).toMatchObject([{ ok: true }, missing(1)]);
  });

  it('takes anything that is no multipart, or no HTTP inside, as malformed', () => {
    const typed = { 'Content-Type': 'multipart/mixed; boundary=b' };
    for (const envelope of [
      reply(200, '{}', { 'Content-Type': 'application/json' }),
      reply(200, '--b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n--b--', { 'Content-Type': 'multipart/mixed' }),
      reply(200, '', typed),
      reply(200, '--b\r\n\r\nnonsense\r\n--b--', typed),
      reply(200, '--b\r\n\r\nHTTP/1.1 999 Odd\r\n\r\n--b--', typed),
      reply(200, '--b--', typed),
    ])
      expect(readBatch(envelope, 1)).toEqual([missing(0)]);
  });

  it('never throws, whatever it is given', () => {
    const line = fc.constantFrom(
      '--b',
      '--b--',
      '',
      'HTTP/1.1 200 OK',
      'a: b',
      'Content-ID: <response-item-0>',
      ': x',
      '{}',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string({ unit: 'binary' })), { maxLength: 30 }), (lines) => {
        const envelope = reply(200, lines.join('\r\n'), { 'Content-Type': 'multipart/mixed; boundary=b' });
        expect(readBatch(envelope, 3)).toHaveLength(3);
      }),
    );
  });
});
