import type { Send } from '../../src/providers/http.ts';
import type { Access, Throttle } from '../../src/providers/provider.ts';

/** `send` as an account has it: the throttles that requests find in their replies are kept in `heard`. */
export function heedingSend(send: Send, heard: Throttle[]): Access['send'] {
  return async ({ readThrottle, ...request }) => {
    const sent = await send(request);
    const throttle = sent.ok ? readThrottle(sent.value) : undefined;
    if (throttle !== undefined) heard.push(throttle);
    return sent;
  };
}
