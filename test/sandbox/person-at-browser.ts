/** How a person goes through a provider's sign-in. */
export interface SignInChoices {
  /** The address of the account to pick. */
  account: string;
  /** `allow` by default. */
  decision?: 'allow' | 'refuse';
  /**
   * Scopes to take away, in full or by their last part. Google: unticked, where there are checkboxes. Microsoft
   * has none; there it makes the provider grant less than was asked, as a tenant's policy can.
   */
  untick?: string[];
  fetch?: typeof fetch;
}

/**
 * Plays the person at the browser: opens the provider's authorize address, picks the account, unticks scopes
 * and submits the form. Returns the address the provider sends the browser back to (the app's callback),
 * without going there. Throws with the page's text when the provider shows an error page instead.
 */
export async function signIn(authorizeUrl: string, choices: SignInChoices): Promise<string> {
  const { account, decision = 'allow', untick = [], fetch: send = fetch } = choices;
  const page = await send(authorizeUrl, { redirect: 'manual' });
  const location = page.headers.get('location');
  const html = await page.text();
  if (location !== null) return new URL(location, authorizeUrl).href;
  const form = readForm(html);
  if (!page.ok || form === undefined)
    throw new Error(`no consent page: ${String(page.status)} ${textOf(html)}`);
  const accounts = form.inputs.filter(({ name }) => name === 'account').map(({ value }) => value);
  if (!accounts.some((one) => one.toLowerCase() === account.toLowerCase())) {
    throw new Error(`the consent page does not offer ${account}, only ${accounts.join(', ')}`);
  }
  const isUnticked = (scope: string): boolean =>
    untick.some(
      (one) => one === scope || scope.endsWith(`/${one}`) || scope.toLowerCase() === one.toLowerCase(),
    );
  const fields = new URLSearchParams();
  for (const { name, type, value } of form.inputs) {
    if (type === 'hidden') fields.append(name, value);
    if (type === 'checkbox' && !isUnticked(value)) fields.append(name, value);
  }
  if (!form.inputs.some(({ type }) => type === 'checkbox'))
    for (const scope of untick) fields.append('withhold', scope);
  fields.append('account', account);
  fields.append('decision', decision);
  return await submit(new URL(form.action, authorizeUrl).href, fields, send);
}

/** Plays the administrator on the admin-consent page; returns the address it sends the browser back to. */
export async function adminConsent(
  url: string,
  choices: { account: string; decision?: 'allow' | 'refuse'; fetch?: typeof fetch },
): Promise<string> {
  return await signIn(url, choices);
}

async function submit(action: string, fields: URLSearchParams, send: typeof fetch): Promise<string> {
  const reply = await send(action, { method: 'POST', body: fields, redirect: 'manual' });
  const location = reply.headers.get('location');
  const html = await reply.text();
  if (location === null) throw new Error(`the form was refused: ${String(reply.status)} ${textOf(html)}`);
  return new URL(location, action).href;
}

interface FormInput {
  readonly name: string;
  readonly type: string;
  readonly value: string;
}

function readForm(html: string): { action: string; inputs: FormInput[] } | undefined {
  const action = /<form[^>]*\baction="([^"]*)"/.exec(html)?.[1];
  if (action === undefined) return undefined;
  const inputs = [...html.matchAll(/<input\b([^>]*)>/g)].map(([, attributes = '']) => {
    const attribute = (name: string): string =>
      unescapeHtml(new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? '');
    return { name: attribute('name'), type: attribute('type'), value: attribute('value') };
  });
  return { action: unescapeHtml(action), inputs };
}

function unescapeHtml(text: string): string {
  const entities: Record<string, string> = { lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' };
  return text.replace(/&(lt|gt|quot|#39|amp);/g, (whole, name: string) => entities[name] ?? whole);
}

function textOf(html: string): string {
  return unescapeHtml(html.replace(/<style>.*?<\/style>/gs, ' ').replace(/<[^>]+>/g, ' '))
    .replace(/\s+/g, ' ')
    .trim();
}
