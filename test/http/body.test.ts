import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { readBody } from '../../src/http/body.ts';
import { problem } from '../../src/http/respond.ts';
import { readProblem } from './stage.ts';

const MEBIBYTE = 1024 * 1024;
const schema = z.strictObject({ name: z.string(), extra: z.unknown().optional() });

function read(body: BodyInit | null, type: string | null = 'application/json') {
  const request = new Request('https://x.example', { method: 'POST', body });
  request.headers.delete('Content-Type');
  if (type !== null) request.headers.set('Content-Type', type);
  return readBody(request, schema);
}

/** The problem that reading this body ends with. */
async function refusalOf(...[body, type]: Parameters<typeof read>) {
  const refused = await read(body, type);
  if (refused.ok) throw new Error('was accepted');
  return await readProblem(problem(refused.problem));
}

/** A body whose length nobody knows beforehand, in chunks of 64 KiB; `drawn` tells how many were drawn. */
function stream(chunks: number) {
  const progress = { drawn: 0 };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (progress.drawn === chunks) return controller.close();
      progress.drawn += 1;
      controller.enqueue(new Uint8Array(64 * 1024).fill(0x20));
    },
  });
  return { body, progress };
}

describe('a JSON body', () => {
  it.each(['application/json', 'Application/JSON; charset=utf-8', ' application/json ;x=y'])(
    'is read when it is sent as %s',
    async (type) => {
      expect(await read('{"name":"Ada"}', type)).toEqual({ ok: true, value: { name: 'Ada' } });
    },
  );

  it('may hold characters that two chunks share', async () => {
    const bytes = new TextEncoder().encode('{"name":"Ä€𝄞"}');
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
        controller.close();
      },
    });
    expect(await read(body)).toEqual({ ok: true, value: { name: 'Ä€𝄞' } });
  });

  it.each([null, 'text/plain', 'application/jsonp', 'application/problem+json', 'multipart/form-data'])(
    'is refused when it is sent as %s',
    async (type) => {
      expect(await refusalOf('{"name":"Ada"}', type)).toMatchObject({
        status: 400,
        code: 'invalid_request',
        detail: 'Send the body as Content-Type: application/json.',
      });
    },
  );

  it.each([null, '', '{', '{"name":"Ada"}x', 'undefined', '\u0000', "{'name':1}"])(
    'is refused when it is no JSON: %j',
    async (body) => {
      expect(await refusalOf(body)).toMatchObject({ status: 400, detail: 'The body is not JSON.' });
    },
  );

  it('names each field that is wrong', async () => {
    expect(await refusalOf('{"name":1,"nam":2}')).toMatchObject({
      code: 'invalid_request',
      errors: [
        { path: 'name', message: 'Invalid input: expected string, received number' },
        { path: 'nam', message: 'is not a known field' },
      ],
    });
  });

  it('may be one mebibyte and not a byte more', async () => {
    const frame = '{"name":""}'.length;
    const largest = `{"name":"${'x'.repeat(MEBIBYTE - frame)}"}`;
    expect((await read(largest)).ok).toBe(true);
    expect(await refusalOf(`${largest} `)).toMatchObject({
      status: 400,
      detail: 'The body has more than 1048576 bytes.',
    });
  });

  it('is counted in bytes, not characters', async () => {
    expect(await refusalOf(`{"name":"${'€'.repeat(MEBIBYTE / 2)}"}`)).toMatchObject({
      detail: 'The body has more than 1048576 bytes.',
    });
  });

  it('is not read to its end when it is streamed and too large', async () => {
    const { body, progress } = stream(100_000);
    expect(await refusalOf(body)).toMatchObject({ detail: 'The body has more than 1048576 bytes.' });
    expect(progress.drawn).toBeLessThan(40);
  });

  it('may nest as deep as it likes without doing harm', async () => {
    const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    expect(await refusalOf(deep(500_000))).toMatchObject({ status: 400 });
    expect(await refusalOf(`{"nam":${deep(500_000)}}`)).toMatchObject({ status: 400 });
  });

  it('cannot reach a prototype', async () => {
    expect(await refusalOf('{"name":"Ada","__proto__":{"admin":true}}')).toMatchObject({
      errors: [{ path: '__proto__', message: 'is not a known field' }],
    });
  });

  it('is answered with little, however much is wrong with it', async () => {
    const crowd = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`field-${n}`, 0]));
    expect(JSON.stringify(await refusalOf(JSON.stringify(crowd))).length).toBeLessThan(5_000);
  });
});
