/** What is read: a request that came in, or a reply. */
type Message = Pick<Response, 'body' | 'headers' | 'text'>;

/**
 * Reads the body of a message of at most `mostBytes` as UTF-8; undefined (and the rest left unread, its stream
 * cancelled) when it has more. Throws when `signal` fires before the end, whether or not the stream heeds it itself.
 */
export async function readBounded(
  message: Message,
  mostBytes: number,
  signal?: AbortSignal,
): Promise<string | undefined> {
  if (message.body === null) return '';
  // Chunk by chunk costs several times as much, and is needed only where nobody says how many there will be.
  const length = readLength(message.headers);
  if (length === undefined) return await readChunks(message.body, mostBytes, signal);
  if (length <= mostBytes)
    return await (signal === undefined ? message.text() : orCut(message.text(), signal));
  await message.body.cancel();
  return undefined;
}

/** How many bytes there will be; undefined when that is not said, or is said of the packed ones. */
function readLength(headers: Pick<Headers, 'get'>): number | undefined {
  const length = headers.get('Content-Length');
  return length === null || !/^\d{1,15}$/.test(length) || headers.get('Content-Encoding') !== null
    ? undefined
    : Number(length);
}

async function orCut(text: Promise<string>, signal: AbortSignal): Promise<string> {
  const cut = Promise.withResolvers<never>();
  const stop = () => cut.reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([text, cut.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function readChunks(
  body: ReadableStream<Uint8Array>,
  mostBytes: number,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const reader = body.getReader();
  // Cancelling settles the read that is pending; a stream may fail while it is cancelled, which changes nothing.
  const stop = () => void reader.cancel().catch(() => {});
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const decoder = new TextDecoder();
    let text = '';
    let size = 0;
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (done) return text + decoder.decode();
      size += value.byteLength;
      if (size > mostBytes) {
        stop();
        return undefined;
      }
      text += decoder.decode(value, { stream: true });
    }
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
