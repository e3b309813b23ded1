import { describe, expect, it } from 'vitest';
import { readBounded } from '../src/bounded-text.ts';

/** A body in these chunks, after which it ends or never does; and what became of it. */
function bodyOf(chunks: readonly Uint8Array[], after: 'ends' | 'never ends' = 'ends') {
  const state = { drawn: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = chunks[state.drawn];
        if (chunk === undefined) {
          if (after === 'ends') controller.close();
          return;
        }
        state.drawn += 1;
        controller.enqueue(chunk);
      },
      cancel() {
        state.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { state, body };
}

const BYTES = new TextEncoder().encode('grüße');
/** The same, cut within a character. */
const CUT = [BYTES.slice(0, 3), BYTES.slice(3)];

/** How a length may be told: in full, not at all, or of the packed bytes only. */
const HEADERS = [
  { 'Content-Length': String(BYTES.byteLength) },
  {},
  { 'Content-Length': '1', 'Content-Encoding': 'identity' },
  { 'Content-Length': 'many' },
];

describe.each(HEADERS)('a body of seven bytes, announced as %j', (headers) => {
  it('is read when it may have as many, and not when it may have one less', async () => {
    const message = () => new Response(bodyOf(CUT).body, { headers });
    expect(await readBounded(message(), 7)).toBe('grüße');
    expect(await readBounded(message(), 6)).toBeUndefined();
  });

  it('is let go of when it is too large', async () => {
    const { body, state } = bodyOf(CUT, 'never ends');
    expect(await readBounded(new Response(body, { headers }), 6)).toBeUndefined();
    expect(state.cancelled).toBe(true);
  });

  it('that does not come to its end is cut off', async () => {
    const { body } = bodyOf(CUT, 'never ends');
    const controller = new AbortController();
    const read = readBounded(new Response(body, { headers }), 100, controller.signal);
    controller.abort(new Error('too late'));
    await expect(read).rejects.toThrow('too late');
  });
});

describe('no body', () => {
  it('is an empty text', async () => {
    expect(await readBounded(new Response(null), 0)).toBe('');
  });
});
